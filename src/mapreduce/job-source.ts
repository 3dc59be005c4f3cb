/**
 * Where the inputs of a job come from: its own list, a bucket's keys, an index.
 */

import { addressesOf } from './address.ts';
import { NO_TYPE_FAILURE } from './phase-input.ts';
import type { ByteString } from '../base/bytes.ts';
import type { JobInputs } from './job.ts';
import type { JobEvent, JobPorts } from './job-ports.ts';
import type { TermList } from './term.ts';

/** The number of the phase before the first. */
export const SOURCE = -1;

/** Inputs of an explicit list that go on together. */
const BATCH_COUNT = 256;

export async function* readInputs(
  inputs: JobInputs,
  ports: JobPorts,
  timeoutMs: number,
): AsyncGenerator<JobEvent> {
  if (inputs.kind === 'addresses') {
    const { addresses } = inputs;
    for (let start = 0; start < addresses.length; start += BATCH_COUNT) {
      yield batch(addresses.slice(start, start + BATCH_COUNT));
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
      yield batch(addressesOf(inputs, filter === undefined ? keys : keys.filter(filter)));
    }
    return;
  }
  const { field, from, to } = inputs;
  const range = { type, bucket, field, from, to, after: undefined, limit: undefined };
  for await (const entries of ports.index(range, { timeoutMs })) {
    const keys = entries.map(([, key]: readonly [ByteString, ByteString]) => key);
    yield batch(addressesOf(inputs, keys));
  }
}

function batch(results: TermList): JobEvent {
  return { kind: 'results', phase: SOURCE, results };
}
