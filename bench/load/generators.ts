/**
 * Several generators that load one cluster together, each on a machine of its own: each takes its share of the keys,
 * the clients and the rates of the workload, and begins when the others do.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { Fault } from '../../src/base/fault.ts';
import { unlessStopped } from './stop-asked.ts';
import type { GeneratorShare } from '../report/result.ts';

const GENERATORS_MAX = 1_000;
const BEGIN_WITHIN_MS = 86_400_000;

/** Of a text like `2/3`. */
export function parseGenerator(text: string): GeneratorShare {
  const [, number, of] = /^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? [];
  const share = { number: Number(number), of: Number(of) };
  const isOne = share.number >= 1 && share.number <= share.of && share.of <= GENERATORS_MAX;
  if (isOne) return share;
  throw new Fault('config', `--generator ${text} is not of the form 2/3`);
}

/** Milliseconds since 1970; no later than a day after `nowMs`, and not before it. */
export function parseBegin(text: string, nowMs: number): number {
  const atMs = /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(atMs)) {
    throw new Fault('config', `--begin ${text} is no time like 2026-11-24T12:00:00Z`);
  }
  if (atMs < nowMs) throw new Fault('config', `--begin ${text} is over`);
  if (atMs <= nowMs + BEGIN_WITHIN_MS) return atMs;
  throw new Fault('config', `--begin ${text} is more than a day ahead`);
}

/** Waits until then; says where it is too late for that. */
export async function awaitBegin(
  atMs: number,
  { signal, say }: { readonly signal: AbortSignal; readonly say: (line: string) => void },
): Promise<void> {
  const restMs = atMs - Date.now();
  if (restMs < 0) {
    say(
      `the load was over ${(-restMs / 1_000).toFixed(1)} s after --begin: the others may have begun`,
    );
    return;
  }
  const waited = pause(restMs, undefined, { signal }).catch(() => undefined);
  await unlessStopped(signal, waited);
}
