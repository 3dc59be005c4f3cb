/**
 * A process for the test of scarce descriptors: opens the store in the folder it is given, takes all the
 * descriptors that it may still have, and reads; gives them back, and reads once more. Prints, each on a
 * line, what came of the reads
 */

import { closeSync, openSync } from 'node:fs';
import { isFault } from '../../src/base/fault.ts';
import { openLevelDbStore } from '../../src/storage/open-leveldb.ts';
import { recordingHost } from './recording-host.ts';
import { keysOfTables } from './scarce-keys.ts';

const ALL = { from: Buffer.of(0), to: Buffer.of(0xff) };
const [folder = ''] = process.argv.slice(2);
const host = recordingHost();
const store = await openLevelDbStore(host, { folder });

function nameOf(error: unknown): string {
  return isFault(error) ? error.code : String(error);
}

async function readOne(key: Buffer): Promise<string> {
  try {
    return (await store.get(key)) === undefined ? 'absent' : 'read';
  } catch (error) {
    return nameOf(error);
  }
}

async function scanAll(): Promise<string> {
  try {
    let count = 0;
    for await (const batch of store.scan(ALL)) count += batch.length;
    return count >= keysOfTables().length ? 'read' : 'in part';
  } catch (error) {
    return nameOf(error);
  }
}

async function report(): Promise<void> {
  const counts: Record<string, number> = {};
  for (const key of keysOfTables()) {
    const outcome = await readOne(key);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  const scan = await scanAll();
  process.stdout.write(`${JSON.stringify({ counts, scan })}\n`);
}

const taken: number[] = [];
try {
  for (;;) taken.push(openSync('/dev/null', 'r'));
} catch {
  // There are no more.
}
await report();
for (const descriptor of taken) closeSync(descriptor);
await report();
process.stdout.write(
  `${JSON.stringify({ corrupt: host.counters.get('store_corrupt_reads_total') ?? 0 })}\n`,
);
await store.close();
