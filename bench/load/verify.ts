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
}

export interface VerifyParts {
  readonly ledger: Ledger;
  readonly keys: ProcessKeys;
  readonly keepsSiblings: (ledgerNumber: number) => boolean;
  readonly sessions: readonly Session[];
  readonly run: number;
  readonly onProgress: (done: number, total: number) => void;
}

const RETRY_PAUSE_MS = 500;

export async function verify(parts: VerifyParts, patienceMs: number): Promise<Verdict> {
  const { ledger } = parts;
  const numbers = [...ledger.keys()];
  const sum = { lost: 0, unknown: 0, returned: 0 };
  let next = 0;
  let done = 0;
  const doubtful: number[] = [];
  const reader = async (session: Session): Promise<void> => {
    for (let index = next++; index < numbers.length; index = next++) {
      const number = numbers[index] as number;
      const judgement = await judgeKey(parts, session, number);
      if (isDoubtful(judgement)) doubtful.push(number);
      else add(sum, judgement);
      done += 1;
      parts.onProgress(done, numbers.length);
    }
  };
  await Promise.all(parts.sessions.map(reader));
  for (const judgement of await judgeAgain(parts, doubtful, patienceMs)) add(sum, judgement);
  return {
    ...sum,
    acknowledged: ledger.acknowledgedCount,
    followed: ledger.followedCount,
    unanswered: ledger.unansweredCount,
    keysRead: numbers.length,
  };
}

/** Keys that seem to have lost something, until they do no more or patience ends. */
async function judgeAgain(
  parts: VerifyParts,
  numbers: readonly number[],
  patienceMs: number,
): Promise<Judgement[]> {
  const endMs = performance.now() + patienceMs;
  const settled: Judgement[] = [];
  let left = numbers;
  for (let round = 0; left.length > 0; round += 1) {
    const isLast = performance.now() >= endMs;
    const again: number[] = [];
    const look = async (session: Session, first: number): Promise<void> => {
      for (let index = first; index < left.length; index += parts.sessions.length) {
        const number = left[index] as number;
        const judgement = await judgeKey(parts, session, number);
        if (isDoubtful(judgement) && !isLast) again.push(number);
        else settled.push(judgement);
      }
    };
    // Another node each time.
    const { length } = parts.sessions;
    await Promise.all(parts.sessions.map((session, at) => look(session, (at + round) % length)));
    left = again.sort((one, other) => one - other);
    if (left.length > 0) await pause(RETRY_PAUSE_MS);
  }
  return settled;
}

function isDoubtful({ lost, returned, unknown }: Judgement): boolean {
  return lost > 0 || returned > 0 || unknown > 0;
}

async function judgeKey(parts: VerifyParts, session: Session, number: number): Promise<Judgement> {
  const remaining = parts.ledger.remaining(number);
  const { tracked } = parts.keys.find(number);
  try {
    const { values } = await session.get(tracked.key);
    return judge(remaining, stampsOf(values, parts.run), parts.keepsSiblings(number));
  } catch {
    const acknowledged = remaining.filter(({ isAcknowledged }) => isAcknowledged).length;
    return { lost: 0, unknown: acknowledged, returned: 0 };
  }
}

function add(
  sum: { lost: number; unknown: number; returned: number },
  { lost, unknown, returned }: Judgement,
): void {
  sum.lost += lost;
  sum.unknown += unknown;
  sum.returned += returned;
}

/** Of several processes. */
export function addVerdicts(verdicts: readonly Verdict[]): Verdict {
  const total = (field: keyof Verdict): number =>
    verdicts.reduce((sum, verdict) => sum + verdict[field], 0);
  return {
    acknowledged: total('acknowledged'),
    followed: total('followed'),
    lost: total('lost'),
    unknown: total('unknown'),
    returned: total('returned'),
    unanswered: total('unanswered'),
    keysRead: total('keysRead'),
  };
}
