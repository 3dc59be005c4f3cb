/**
 * `vertebra admin wait`: until a node serves, for scripts that go on then: `riak admin wait-for-service`.
 *
 * A node that does not answer yet is waited for too: it may just be starting.
 */

import { setTimeout as rest } from 'node:timers/promises';
import { InvalidArgumentError, type Command } from 'commander';
import { AdminRefusal } from '../admin/admin-server.ts';
import { parseDurationMs } from '../config/units.ts';

/** The part of what the commands answer that is looked at. */
interface Answers {
  readonly status: { readonly isReady: boolean; readonly reason: string };
  readonly ringready: { readonly isReady: boolean };
  readonly transfers: { readonly step?: unknown; readonly isFilled: boolean };
  readonly hints: { readonly total: number };
}

/** Rejects with `AdminRefusal` when there is no answer within `timeoutMs`. */
export type AskForWait = <C extends keyof Answers>(
  command: C,
  timeoutMs: number,
) => Promise<Answers[C]>;

export interface WaitOptions {
  /** Also until nothing is on its way. */
  readonly isSettled: boolean;
  readonly timeoutMs: number;
}

const LOOK_AGAIN_MS = 250;
/** Of one question, however little time is left: a node that is well answers it. */
const QUESTION_MIN_MS = 1_000;
const TIMEOUT_DEFAULT_MS = 300_000;

export function addWaitCommand(admin: Command, ask: AskForWait): void {
  admin
    .command('wait')
    .description('until the node serves; exits with 1, and says why, when it does not in time')
    .option('--settled', 'and all members are up and agree, nothing moves, and it owes nothing')
    .option('--timeout <duration>', 'how long; default 5m', toTime, TIMEOUT_DEFAULT_MS)
    .action(async ({ settled, timeout }: { settled?: boolean; timeout: number }) => {
      if (admin.opts<{ all?: boolean }>().all === true) {
        admin.error('one node is waited for: without --all', { exitCode: 2 });
      }
      const reason = await waitFor(ask, { isSettled: settled === true, timeoutMs: timeout });
      if (reason === undefined) return;
      console.error(reason);
      process.exitCode = 1;
    });
}

/** What is in the way still when the time is up; undefined: nothing is. */
export async function waitFor(
  ask: AskForWait,
  { isSettled, timeoutMs }: WaitOptions,
): Promise<string | undefined> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const reason = await obstacle((command) => {
      return ask(command, Math.max(QUESTION_MIN_MS, endMs - performance.now()));
    }, isSettled);
    if (reason === undefined || performance.now() >= endMs) return reason;
    await rest(LOOK_AGAIN_MS);
  }
}

async function obstacle(
  ask: <C extends keyof Answers>(command: C) => Promise<Answers[C]>,
  isSettled: boolean,
): Promise<string | undefined> {
  try {
    const { isReady, reason } = await ask('status');
    if (!isReady) return reason;
    if (!isSettled) return undefined;
    if (!(await ask('ringready')).isReady) return 'not all members are up and agree: see ringready';
    const { step, isFilled } = await ask('transfers');
    if (step !== undefined || !isFilled) return 'replicas are on their way: see transfers';
    const { total } = await ask('hints');
    return total > 0 ? `${total} hints are owed to others: see hints` : undefined;
  } catch (error) {
    if (!(error instanceof AdminRefusal)) throw error;
    return error.message;
  }
}

function toTime(text: string): number {
  const timeMs = parseDurationMs(text);
  if (timeMs === undefined) throw new InvalidArgumentError('It must be a duration, such as 5m.');
  return timeMs;
}
