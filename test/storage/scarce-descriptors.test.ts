/**
 * A process that may open no more files cannot read the tables that it has not opened yet. Nothing is
 * wrong with them: whoever took such an entry for damaged would put another copy in its place.
 */

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { openLevelDbStore } from '../../src/storage/open-leveldb.ts';
import { recordingHost } from './recording-host.ts';
import { keysOfTables } from './scarce-keys.ts';

const READER = join(import.meta.dirname, 'scarce-reader.js');
/** So that there are several tables. */
const SIZES = { fileSizeBytes: 1024 * 1024, writeBufferSizeBytes: 256 * 1024 };
const KEYS_PER_WRITE = 50;

const root = mkdtempSync(join(tmpdir(), 'vertebra-scarce-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));

interface Report {
  readonly counts: Readonly<Record<string, number>>;
  readonly scan: string;
}

async function fillTables(folder: string): Promise<void> {
  const options = { folder, durability: 'os', ...SIZES } as const;
  const store = await openLevelDbStore(recordingHost(), options);
  const keys = keysOfTables();
  while (keys.length > 0) {
    await store.write(
      keys.splice(0, KEYS_PER_WRITE).map((key) => ({ kind: 'put', key, head: randomBytes(1_500) })),
    );
  }
  await store.close();
  // Opening moves what the log held into a table.
  await (await openLevelDbStore(recordingHost(), options)).close();
}

t.test('an entry that there is no descriptor for is not damaged', async (t) => {
  const folder = join(root, 'store');
  await fillTables(folder);
  t.ok(readdirSync(folder).filter((name) => name.endsWith('.ldb')).length > 2);
  const { stdout } = await promisify(execFile)('sh', [
    '-c',
    'unset NODE_OPTIONS; ulimit -n 128; exec "$0" "$@"',
    process.execPath,
    READER,
    folder,
  ]);
  const [scarce, plenty, log] = stdout.trim().split('\n') as [string, string, string];
  const { counts, scan } = JSON.parse(scarce) as Report;
  t.ok((counts['overload'] ?? 0) > 0, 'there were tables that it could not open');
  t.same(
    Object.keys(counts).filter((outcome) => outcome !== 'read' && outcome !== 'overload'),
    [],
  );
  t.equal(scan, 'overload');
  t.same(JSON.parse(plenty), { counts: { read: keysOfTables().length }, scan: 'read' });
  t.same(JSON.parse(log), { corrupt: 0 });
});
