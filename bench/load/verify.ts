/**
 * Looking for every acknowledged write, when the load is over.
 *
 * Each key that the ledger follows is read once. What seems lost is read again until some patience
 * is used up, because a cluster that has just lost and got back a node may still be bringing things
 * home; what is still missing then is lost.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { judge } from './key-history.ts';
import { stampsOf } from './stamp.ts';
import type { Session } from '../target/session.ts';
import type { Judgement } from './key-history.ts';
import type { Ledger } from './ledger.ts';
import type { ProcessKeys } from './process-keys.ts';

export interface Verdict {
  /** Acknowledged writes in all. */
  readonly acknowledged: number;
  /** Of these, of keys that were followed. */
  readonly followed: number;
  readonly lost: number;
  /** Could not be judged: the key was not readable, or a write without an answer may explain it. */
  readonly unknown: number;
  /** Superseded or deleted values that are there again. */
  readonly returned: number;
  /** Writes that got no answer. */
  readonly unanswered: number;
  readonly keysRead: number;
  /** Keys that could not be read; older results do not say. */
  readonly unread?: number;
}

export interface VerifyParts {
  readonly ledger: Ledger;
  readonly keys: ProcessKeys;
  readonly keepsSiblings: (ledgerNumber: number) => boolean;
  readonly sessions: readonly Session[];
  readonly run: number;
  readonly onProgress: (done: number, total: number) => void;
  /** Without any answer for so long beyond the patience, what is left is not asked for any more. */
  readonly giveUpAfterMs?: number;
}

const RETRY_PAUSE_MS = 500;
const GIVE_UP_AFTER_MS = 30_000;

/** Whether the target still answers: a million keys are not to wait for a time-out each. */
class Presence {
  readonly #limitMs: number;
  #answeredMs = performance.now();

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  get isGone(): boolean {
    return performance.now() - this.#answeredMs > this.#limitMs;
  }

  answered(): void {
    this.#answeredMs = performance.now();
  }
}

/** A judgement, and whether its key could be read. */
interface Look {
  readonly judgement: Judgement;
  readonly isRead: boolean;
}

export async function verify(parts: VerifyParts, patienceMs: number): Promise<Verdict> {
  const { ledger } = parts;
  const numbers = [...ledger.keys()];
  const sum = { lost: 0, unknown: 0, returned: 0, unread: 0 };
  const presence = new Presence(patienceMs + (parts.giveUpAfterMs ?? GIVE_UP_AFTER_MS));
  let next = 0;
  let done = 0;
  const doubtful: number[] = [];
  const reader = async (session: Session): Promise<void> => {
    for (let index = next++; index < numbers.length; index = next++) {
      const number = numbers[index] as number;
      const look = await judgeKey(parts, session, { number, presence });
      if (isDoubtful(look.judgement)) doubtful.push(number);
      else add(sum, look);
      done += 1;
      parts.onProgress(done, numbers.length);
    }
  };
  await Promise.all(parts.sessions.map(reader));
  const again = { numbers: doubtful, patienceMs, presence };
  for (const look of await judgeAgain(parts, again)) add(sum, look);
  return {
    ...sum,
    acknowledged: ledger.acknowledgedCount,
    followed: ledger.followedCount,
    unanswered: ledger.unansweredCount,
    keysRead: numbers.length - sum.unread,
  };
}

/** Keys that seem to have lost something, until they do no more or patience ends. */
async function judgeAgain(
  parts: VerifyParts,
  again: {
    readonly numbers: readonly number[];
    readonly patienceMs: number;
    readonly presence: Presence;
  },
): Promise<Look[]> {
  const endMs = performance.now() + again.patienceMs;
  const { presence } = again;
  const settled: Look[] = [];
  let left = again.numbers;
  for (let round = 0; left.length > 0; round += 1) {
    const isLast = performance.now() >= endMs;
    const still: number[] = [];
    const look = async (session: Session, first: number): Promise<void> => {
      for (let index = first; index < left.length; index += parts.sessions.length) {
        const number = left[index] as number;
        const seen = await judgeKey(parts, session, { number, presence });
        if (isDoubtful(seen.judgement) && !isLast) still.push(number);
        else settled.push(seen);
      }
    };
    // Another node each time.
    const { length } = parts.sessions;
    await Promise.all(parts.sessions.map((session, at) => look(session, (at + round) % length)));
    left = still.sort((one, other) => one - other);
    if (left.length > 0) await pause(RETRY_PAUSE_MS);
  }
  return settled;
}

function isDoubtful({ lost, returned, unknown }: Judgement): boolean {
  return lost > 0 || returned > 0 || unknown > 0;
}

async function judgeKey(
  parts: VerifyParts,
  session: Session,
  { number, presence }: { readonly number: number; readonly presence: Presence },
): Promise<Look> {
  const remaining = parts.ledger.remaining(number);
  const { tracked } = parts.keys.find(number);
  try {
    if (!presence.isGone) {
      const { values } = await session.get(tracked.key);
      presence.answered();
      const found = stampsOf(values, parts.run);
      return { judgement: judge(remaining, found, parts.keepsSiblings(number)), isRead: true };
    }
  } catch {
    // As if it had not been asked for.
  }
  const acknowledged = remaining.filter(({ isAcknowledged }) => isAcknowledged).length;
  return { judgement: { lost: 0, unknown: acknowledged, returned: 0 }, isRead: false };
}

function add(
  sum: { lost: number; unknown: number; returned: number; unread: number },
  { judgement: { lost, unknown, returned }, isRead }: Look,
): void {
  sum.lost += lost;
  sum.unknown += unknown;
  sum.returned += returned;
  if (!isRead) sum.unread += 1;
}

/** Of several processes. */
export function addVerdicts(verdicts: readonly Verdict[]): Verdict {
  const total = (field: keyof Verdict): number =>
    verdicts.reduce((sum, verdict) => sum + (verdict[field] ?? 0), 0);
  return {
    acknowledged: total('acknowledged'),
    followed: total('followed'),
    lost: total('lost'),
    unknown: total('unknown'),
    returned: total('returned'),
    unanswered: total('unanswered'),
    keysRead: total('keysRead'),
    unread: total('unread'),
  };
}
