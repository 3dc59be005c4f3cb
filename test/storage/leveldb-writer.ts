/**
 * A process for the LevelDB tests: opens the store in the folder it is given and writes, 20 writes at
 * a time, for ever or until the store refuses; every other write goes to the same few keys. Prints
 * each other key once its write is acknowledged, and when the store is fenced, what it says of itself.
 * The bodies are in the value log if the second argument, the size of its segments, is not 0.
 */

import { openLevelDbStore } from '../../src/storage/open-leveldb.ts';
import { isFault } from '../../src/base/fault.ts';
import { recordingHost } from './recording-host.ts';
import { putParts } from './store-compliance.ts';

const WRITERS = 20;
const [folder = '', segmentSize = '0'] = process.argv.slice(2);

const host = recordingHost();
const store = await openLevelDbStore(host, {
  folder,
  ...(segmentSize !== '0' && { inlineMaxBytes: 0, segmentSizeBytes: Number(segmentSize) }),
});
const run = `${process.pid}`;
let last = '';

async function writeUntilRefused(writer: number): Promise<void> {
  for (let index = 0; ; index += 1) {
    const key = `key ${run} ${writer} ${index}`;
    await store.write([putParts(`again ${writer}`, key)]);
    await store.write([putParts(key, key.padEnd(1024, '.'))]);
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
const refusal = await store.write([putParts('late', '')]).catch((error: unknown) => error);
const lines = [
  `health ${health.kind} ${health.kind === 'fenced' ? health.reason : ''}`,
  `refused ${isRefusedAlike && isFault(refusal) ? refusal.code : 'otherwise'}`,
  `read back ${(await store.get(Buffer.from(last)))?.toString().startsWith(last)}`,
  ...host.events.map((event) => `event ${event}`),
];
await store.close();
process.stdout.write([...lines, 'closed', ''].join('\n'));
