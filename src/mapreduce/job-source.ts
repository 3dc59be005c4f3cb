/**
 * Where the inputs of a job come from: its own list, a bucket's keys, an index.
 *
 * Others get their turn by what the keys and the filters on them have cost.
 */

import { addressesOf } from './address.ts';
import { NO_TYPE_FAILURE } from './phase-input.ts';
import { termSizeBytes } from './term.ts';
import { Fault } from '../base/fault.ts';
import type { ByteString } from '../base/bytes.ts';
import type { Metrics } from '../base/host.ts';
import type { Turns } from '../base/turns.ts';
import type { JobInputs } from './job.ts';
import type { JobEvent, JobPorts } from './job-ports.ts';
import type { KeyFilter } from './key-filter.ts';
import type { TermList } from './term.ts';

/** The number of the phase before the first. */
export const SOURCE = -1;

/** Inputs of an explicit list that go on together. */
const BATCH_COUNT = 256;

export interface SourceOptions {
  readonly timeoutMs: number;
  readonly turns: Turns;
  readonly metrics: Metrics;
  /** Whether someone still waits: where no result comes, nothing else tells that the client has gone. */
  readonly isWanted: () => boolean;
}

/** Throws `closed` once nobody waits for the job. */
export async function* readInputs(
  inputs: JobInputs,
  ports: JobPorts,
  options: SourceOptions,
): AsyncGenerator<JobEvent> {
  const { timeoutMs, turns } = options;
  if (inputs.kind === 'addresses') {
    const { addresses } = inputs;
    for (let start = 0; start < addresses.length; start += BATCH_COUNT) {
      mustBeWanted(options);
      const results = addresses.slice(start, start + BATCH_COUNT);
      if (turns.spend(termSizeBytes(results))) await turns.pass();
      yield batch(results);
    }
    return;
  }
  const { type, bucket } = inputs;
  if (ports.bucketTypeProperties(type) === undefined) {
    yield NO_TYPE_FAILURE;
    return;
  }
  if (inputs.kind === 'bucket') {
    const { filter } = inputs;
    for await (const keys of ports.listKeys(type, bucket, { timeoutMs })) {
      mustBeWanted(options);
      const passing = filter === undefined ? keys : await filterKeys(keys, filter, options);
      if (passing.length > 0) yield batch(addressesOf(inputs, passing));
    }
    return;
  }
  const { field, from, to } = inputs;
  const range = { type, bucket, field, from, to, after: undefined, limit: undefined };
  for await (const entries of ports.index(range, { timeoutMs })) {
    mustBeWanted(options);
    const keys = entries.map(([, key]: readonly [ByteString, ByteString]) => key);
    yield batch(addressesOf(inputs, keys));
  }
}

function mustBeWanted({ isWanted }: SourceOptions): void {
  if (!isWanted()) throw new Fault('closed', 'nobody waits for the job');
}

async function filterKeys(
  keys: readonly ByteString[],
  filter: KeyFilter,
  { turns, metrics }: SourceOptions,
): Promise<readonly ByteString[]> {
  const passing: ByteString[] = [];
  for (const key of keys) {
    if (filter.passes(key)) passing.push(key);
    if (filter.isOverrun) metrics.count('expression_overruns_total');
    if (turns.spend(filter.spentUnits)) await turns.pass();
  }
  return passing;
}

function batch(results: TermList): JobEvent {
  return { kind: 'results', phase: SOURCE, results };
}
