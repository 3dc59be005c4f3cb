/**
 * A process for the LevelDB tests: opens the store in the folder it is given and writes, 20 writes at
 * a time, for ever or until the store refuses. Prints each key once its write is acknowledged, and
 * when the store is fenced, what it says of itself.
 */

import { openLevelDbStore } from '../../src/storage/leveldb-store.ts';
import { isFault } from '../../src/base/fault.ts';
import { recordingHost } from './recording-host.ts';
import { put } from './store-compliance.ts';

const WRITERS = 20;

const host = recordingHost();
const store = await openLevelDbStore(host, { folder: process.argv[2] ?? '' });
const run = `${process.pid}`;
let last = '';

async function writeUntilRefused(writer: number): Promise<void> {
  for (let index = 0; ; index += 1) {
    const key = `key ${run} ${writer} ${index}`;
    await store.write([put(key, key.padEnd(1024, '.'))]);
    last = key;
    process.stdout.write(`${key}\n`);
  }
}

const outcomes = await Promise.allSettled(
  Array.from({ length: WRITERS }, (_, writer) => writeUntilRefused(writer)),
);
const isRefusedAlike = outcomes.every(
  (outcome) => outcome.status === 'rejected' && isFault(outcome.reason, 'store-fenced'),
);
const health = store.health();
const refusal = await store.write([put('late', '')]).catch((error: unknown) => error);
const lines = [
  `health ${health.kind} ${health.kind === 'fenced' ? health.reason : ''}`,
  `refused ${isRefusedAlike && isFault(refusal) ? refusal.code : 'otherwise'}`,
  `read back ${(await store.get(Buffer.from(last)))?.toString().startsWith(last)}`,
  ...host.events.map((event) => `event ${event}`),
];
await store.close();
process.stdout.write([...lines, 'closed', ''].join('\n'));
