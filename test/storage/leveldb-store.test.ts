/**
 * The store on disk keeps what every store promises, across close and open, damaged files, a disk
 * that fails and a process that is killed. Nothing is mocked: the failing disk is a limit on the size
 * of files that the operating system enforces, the killed process is a real one.
 */

import { spawn } from 'node:child_process';
import {
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import t from 'tap';
import type { Test } from 'tap';
import { Level } from 'level';
import { mendLevelDb } from '../../src/storage/mend-leveldb.ts';
import { drawBufferSize, openLevelDbStore } from '../../src/storage/open-leveldb.ts';
import type { OpenLevelDbOptions } from '../../src/storage/open-leveldb.ts';
import type { LevelDbStore } from '../../src/storage/leveldb-store.ts';
import type { ScanRange } from '../../src/storage/store.ts';
import { recordingHost } from './recording-host.ts';
import type { RecordingHost } from './recording-host.ts';
import { checkStoreCompliance, put, scanAll, scanTexts } from './store-compliance.ts';

const ALL: ScanRange = { from: Buffer.of(0), to: Buffer.of(0xff) };
const WRITER = join(import.meta.dirname, 'leveldb-writer.js');

const root = mkdtempSync(join(tmpdir(), 'vertebra-store-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));

let folderCount = 0;

function newFolder(): string {
  folderCount += 1;
  return join(root, `store ${folderCount}`, 'nested');
}

async function openStore(
  t: Test,
  options: OpenLevelDbOptions,
): Promise<{ host: RecordingHost; store: LevelDbStore }> {
  const host = recordingHost();
  const store = await openLevelDbStore(host, options);
  t.teardown(() => store.close());
  return { host, store };
}

/** A host by whose clock everything takes a millisecond. */
function slowHost(): RecordingHost {
  const host = recordingHost();
  const { clock } = host;
  let nowMs = 0;
  const slowClock = {
    wallMicros: () => clock.wallMicros(),
    monotonicMs: () => (nowMs += 1),
    after: (delayMs: number, run: () => void) => clock.after(delayMs, run),
  };
  return { ...host, clock: slowClock };
}

checkStoreCompliance(t, {
  open: () => openLevelDbStore(recordingHost(), { folder: newFolder(), durability: 'os' }),
});

checkStoreCompliance(t, {
  open: () => openLevelDbStore(slowHost(), { folder: newFolder(), durability: 'os' }),
});

// Every body in the value log, and segments so short that there is something to collect.
checkStoreCompliance(t, {
  open: () =>
    openLevelDbStore(recordingHost(), {
      folder: newFolder(),
      durability: 'os',
      inlineMaxBytes: 0,
      segmentSizeBytes: 16_384,
      wasteRatioMax: 0.2,
    }),
});

const BINARY = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;

t.test('quick reads go to no other thread', async (t) => {
  const { host, store } = await openStore(t, { folder: newFolder() });
  await store.write([put('a', '1')]);
  t.same(await store.get(Buffer.from('a')), Buffer.from('1'));
  t.equal(host.counters.get('store_direct_reads_total'), 1);
});

t.test('after slow reads the next ones join on another thread', async (t) => {
  const host = slowHost();
  const store = await openLevelDbStore(host, { folder: newFolder() });
  t.teardown(() => store.close());
  await store.write([put('a', '1'), put('b', '2')]);
  const keys = ['a', 'b', 'c'].map((key) => Buffer.from(key));
  // A few are done on the spot before their mean tells.
  for (let index = 0; index < 10; index += 1) await store.get(Buffer.from('a'));
  const directCount = host.counters.get('store_direct_reads_total') ?? 0;
  t.ok(directCount > 0 && directCount < 10);
  const values = await Promise.all(keys.map((key) => store.get(key)));
  t.same(values.map(String), ['1', '2', 'undefined']);
  t.equal(host.counters.get('store_direct_reads_total'), directCount);
  t.equal(host.observations.get('store_read_keys')?.at(-1), 3);
});

t.test('what was written is there when the store is opened again', async (t) => {
  const folder = newFolder();
  const { store } = await openStore(t, { folder });
  await store.write([put('a', '1'), put('b', '2')]);
  await store.write([{ kind: 'remove', key: Buffer.from('a') }]);
  await store.close();
  const { store: again } = await openStore(t, { folder });
  t.same(await scanTexts(again, ALL), ['b=2']);
});

t.test('the data folder is for its owner only', async (t) => {
  const folder = newFolder();
  await openStore(t, { folder });
  t.equal(statSync(folder).mode & 0o777, 0o700);
});

t.test('writes that come together share batches', async (t) => {
  const { host, store } = await openStore(t, { folder: newFolder() });
  await Promise.all(
    Array.from({ length: 500 }, (_, index) => store.write([put(`k${index}`, 'v')])),
  );
  const batches = host.observations.get('store_batch_writes') ?? [];
  t.same(batches, [500]);
  t.equal(host.counters.get('store_writes_total'), 500);
});

t.test('a write past the bound is refused at once, the others are kept', async (t) => {
  const { store } = await openStore(t, { folder: newFolder(), pendingBytesMax: 1000 });
  const results = await Promise.allSettled(
    Array.from({ length: 10 }, (_, index) => store.write([put(`k${index}`, Buffer.alloc(300))])),
  );
  t.same(
    results.map((result) => result.status),
    [...Array<string>(4).fill('fulfilled'), ...Array<string>(6).fill('rejected')],
  );
  t.match(results[9], { reason: { code: 'overload' } });
  t.equal((await scanAll(store, ALL)).length, 4);
  await store.write([put('again', 'v')]);
});

t.test('scans are bounded in number, and come back when they end', async (t) => {
  const { host, store } = await openStore(t, { folder: newFolder(), scansMax: 2 });
  await store.write([put('a', '1')]);
  const open = [store.scan(ALL), store.scan(ALL)];
  for (const scan of open) await scan.next();
  await t.rejects(scanAll(store, ALL), { code: 'overload' });
  t.equal(host.gauges.get('store_scans'), 2);
  for (const scan of open) await scan.return?.();
  t.same(await scanTexts(store, ALL), ['a=1']);
  t.equal(host.gauges.get('store_scans'), 0);
});

t.test(
  'a scan asks for little first, for an iterator keeps room for all that it is asked',
  async (t) => {
    const { store } = await openStore(t, { folder: newFolder() });
    const keys = Array.from({ length: 700 }, (_, index) => `key ${index}`);
    await store.write(keys.map((key) => put(key, '1')));
    const sizes = async (limit?: number): Promise<readonly number[]> => {
      const batches: number[] = [];
      const range = { ...ALL, keysOnly: true, ...(limit === undefined ? {} : { limit }) };
      for await (const { length } of store.scan(range)) batches.push(length);
      return batches;
    };
    t.same(await sizes(), [16, 64, 256, 256, 108]);
    t.equal(
      (await sizes(300)).reduce((sum, size) => sum + size),
      300,
    );
  },
);

t.test('a folder that cannot be opened is refused with a sentence', async (t) => {
  const host = recordingHost();
  const folder = newFolder();
  const { store } = await openStore(t, { folder });
  await t.rejects(openLevelDbStore(host, { folder }), {
    code: 'config',
    message: `the data folder ${folder} is in use by another process`,
  });
  await store.write([put('a', '1')]);
  await store.close();

  const file = join(root, 'a file');
  writeFileSync(file, 'in the way');
  await t.rejects(openLevelDbStore(host, { folder: file }), {
    code: 'config',
    message: /^the data folder .*a file cannot be opened: ENOTDIR/,
  });
  await t.rejects(openLevelDbStore(host, { folder: join(file, 'below') }), {
    code: 'config',
    message: /cannot be opened: ENOTDIR/,
  });
  await t.rejects(openLevelDbStore(host, { folder: '/proc/vertebra/store' }), {
    code: 'config',
    message: /^the data folder .* cannot be opened: ENOENT/,
  });

  truncateSync(join(folder, 'CURRENT'), 3);
  await t.rejects(openLevelDbStore(host, { folder }), {
    code: 'store-corrupt',
    message: /is damaged .*; mend it with `vertebra repair-store`/,
  });
});

t.test('a store that a later release wrote is refused, and not mended either', async (t) => {
  const folder = newFolder();
  const form = Buffer.from('0000000300000000', 'hex');
  form.writeUInt32BE(crc32(form.subarray(0, 4)), 4);
  const { store } = await openStore(t, { folder });
  await store.write([
    put('z of a later release', '1'),
    { kind: 'put', key: Buffer.from('vformat'), head: form },
  ]);
  await store.close();
  const message = /written by a later release \(form 3; this release reads form 2\): start that/;
  await t.rejects(openLevelDbStore(recordingHost(), { folder }), { code: 'config', message });
  await t.rejects(mendLevelDb(folder), { code: 'config', message });
  const database = new Level(folder, { createIfMissing: false });
  t.teardown(() => database.close());
  t.equal(await database.get('z of a later release'), '1', 'nothing was touched');
  await database.put('vformat', 'damaged');
  await database.close();
  await t.rejects(openLevelDbStore(recordingHost(), { folder }), /form unknown/);
});

t.test('tables whose manifest is lost are not overwritten by a new store', async (t) => {
  const folder = newFolder();
  const { store } = await openStore(t, { folder });
  await store.write([put('a', '1')]);
  await store.close();
  // Opening moves what the log held into a table.
  await (await openStore(t, { folder })).store.close();
  const before = readdirSync(folder).filter((name) => name !== 'CURRENT');
  rmSync(join(folder, 'CURRENT'));
  await t.rejects(openLevelDbStore(recordingHost(), { folder }), {
    code: 'store-corrupt',
    message: /CURRENT is missing.*or move it away/,
  });
  t.same(readdirSync(folder), before, 'nothing was touched');
});

t.test('a damaged table costs its own entries and no others', async (t) => {
  const folder = newFolder();
  // Its form goes to a table of its own.
  await (await openStore(t, { folder })).store.close();
  const { store } = await openStore(t, { folder });
  await store.write(Array.from({ length: 100 }, (_, index) => put(`old ${index}`, 'v')));
  await store.close();
  // Opening moves what the log held into a table.
  await (await openStore(t, { folder })).store.close();
  const tables = readdirSync(folder).filter((name) => name.endsWith('.ldb'));
  t.equal(tables.length, 2);
  truncateSync(join(folder, tables.sort().at(-1) ?? ''), 100);
  const { host, store: damaged } = await openStore(t, { folder });
  await damaged.write([put('new', 'v')]);
  const results = await Promise.allSettled(
    ['old 1', 'new', 'old 2'].map((key) => damaged.get(Buffer.from(key))),
  );
  t.match(results, [
    { status: 'rejected', reason: { code: 'store-corrupt' } },
    { status: 'fulfilled', value: Buffer.from('v') },
    { status: 'rejected', reason: { code: 'store-corrupt' } },
  ]);
  await t.rejects(scanAll(damaged, ALL), { code: 'store-corrupt' });
  t.equal(host.counters.get('store_corrupt_reads_total'), 3);
  t.same(
    host.events,
    ['error store.segment_accounts_unreadable', 'error store.corrupt_read'],
    'one line, however many reads',
  );
});

t.test('an opening that fails half way leaves nothing open', async (t) => {
  const folder = newFolder();
  await (await openStore(t, { folder })).store.close();
  const segments = join(folder, 'values');
  rmSync(segments, { recursive: true });
  writeFileSync(segments, 'no folder');
  await t.rejects(openLevelDbStore(recordingHost(), { folder }), { code: 'config' });
  rmSync(segments);
  await (await openStore(t, { folder })).store.close();
});

t.test('a store whose form cannot be read is damaged, and is not opened', async (t) => {
  const folder = newFolder();
  await (await openStore(t, { folder })).store.close();
  await (await openStore(t, { folder })).store.close();
  const tables = readdirSync(folder).filter((name) => name.endsWith('.ldb'));
  for (const table of tables) truncateSync(join(folder, table), 60);
  const message = /is damaged .*; mend it with `vertebra repair-store`/;
  await t.rejects(openLevelDbStore(recordingHost(), { folder }), {
    code: 'store-corrupt',
    message,
  });
  await mendLevelDb(folder);
  await (await openStore(t, { folder })).store.close();
});

t.test('a bit that flips in a key shows no copy under another key', async (t) => {
  const folder = newFolder();
  const { store } = await openStore(t, { folder });
  const copies = ['1', '2'].map((name) => ({ name, body: name.repeat(100) }));
  const entryOf = (name: string): Buffer => Buffer.from(`o a patient ${name}`);
  await store.write(
    copies.map(({ name, body }) => {
      return { kind: 'put', key: entryOf(name), head: Buffer.from('h'), body: Buffer.from(body) };
    }),
  );
  await store.close();
  const database = new Level<Buffer, Buffer>(folder, BINARY);
  const stored = await database.get(entryOf('1'));
  // As LevelDB shows it when a bit flips in its table: it compares no checksum.
  await database.batch([
    { type: 'del', key: entryOf('1') },
    { type: 'put', key: entryOf('3'), value: stored },
  ]);
  await database.close();
  const { store: damaged, host } = await openStore(t, { folder });
  for (const read of [damaged.get(entryOf('3')), damaged.getHead(entryOf('3'))]) {
    await t.rejects(read, { code: 'store-corrupt', message: /is not the one that was stored/ });
  }
  const shown = await scanAll(damaged, { from: Buffer.from('o'), to: Buffer.from('p') });
  t.same(
    shown.map(({ key }) => key),
    [entryOf('2')],
  );
  t.equal(host.counters.get('store_corrupt_reads_total'), 3);
});

t.test('a damaged log is opened, and it is said that writes may be gone', async (t) => {
  const folder = newFolder();
  const { store, host } = await openStore(t, { folder });
  for (let index = 0; index < 100; index += 1) await store.write([put(`k${index}`, 'value')]);
  await store.close();
  t.equal(store.mayHaveForgotten, false);
  t.same(host.events, []);
  const log = readdirSync(folder).find((name) => name.endsWith('.log')) ?? '';
  const bytes = readFileSync(join(folder, log));
  bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000);
  writeFileSync(join(folder, log), bytes);
  const { store: again, host: secondHost } = await openStore(t, { folder });
  t.ok((await scanAll(again, ALL)).length < 100);
  t.equal(again.mayHaveForgotten, true);
  t.same(secondHost.events, ['error store.log_damaged', 'warn store.is_copy']);
  await again.close();
  for (const opening of ['third', 'fourth', 'fifth']) {
    const { store: next, host: nextHost } = await openStore(t, { folder });
    t.equal(next.mayHaveForgotten, true, `${opening}: none has drawn the consequences`);
    t.same(nextHost.events, ['warn store.is_copy']);
    if (opening === 'fifth') await next.endCopy();
    await next.close();
  }
  const { store: last } = await openStore(t, { folder });
  t.equal(last.mayHaveForgotten, false);
});

t.test('that writes may be gone is known after any number of failed starts', async (t) => {
  const folder = newFolder();
  const { store } = await openStore(t, { folder });
  for (let index = 0; index < 100; index += 1) await store.write([put(`k${index}`, 'value')]);
  await store.close();
  const log = readdirSync(folder).find((name) => name.endsWith('.log')) ?? '';
  const bytes = readFileSync(join(folder, log));
  bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000);
  writeFileSync(join(folder, log), bytes);
  // Each ends behind LevelDB's opening, before it can mark the store.
  rmSync(join(folder, 'values'), { recursive: true });
  writeFileSync(join(folder, 'values'), '');
  for (let start = 0; start < 4; start += 1) {
    await t.rejects(openLevelDbStore(recordingHost(), { folder }), { code: 'config' });
  }
  rmSync(join(folder, 'values'));
  const { store: again } = await openStore(t, { folder });
  t.equal(again.mayHaveForgotten, true);
  await again.endCopy();
  await again.close();
  const { store: last } = await openStore(t, { folder });
  t.equal(last.mayHaveForgotten, false);
});

interface WriterReport {
  /** Keys whose writes were acknowledged, in order. */
  readonly acknowledged: string[];
  /** Other lines the writer printed. */
  readonly lines: string[];
}

/** Runs the writer under a shell's `limits`; kills it with SIGKILL after so many keys. */
function runWriter(options: {
  readonly folder: string;
  /** Of the value log; without, there is none. */
  readonly segmentSizeBytes?: number;
  readonly limits?: string;
  readonly killAfterKeys?: number;
}): Promise<WriterReport> {
  const { folder, segmentSizeBytes = 0, limits = ':', killAfterKeys = Infinity } = options;
  // Without tap's own hooks, whose signal handlers end a process that hits the limit on its files.
  const command = `unset NODE_OPTIONS; ${limits}; exec "$0" "$@"`;
  const child = spawn(
    'sh',
    ['-c', command, process.execPath, WRITER, folder, `${segmentSizeBytes}`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const acknowledged: string[] = [];
  const lines: string[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    // A line that the kill cut off was not heard by anyone.
    rest = parts.pop() ?? '';
    for (const line of parts) {
      if (line.startsWith('key ')) acknowledged.push(line);
      else lines.push(line);
    }
    if (acknowledged.length >= killAfterKeys) child.kill('SIGKILL');
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve({ acknowledged, lines }));
  });
}

t.test('a killed process loses no write it acknowledged', async (t) => {
  const folder = newFolder();
  const acknowledged: string[] = [];
  for (const [killAfterKeys, segmentSizeBytes] of [
    [1, 0],
    [500, 16_384],
    [1500, 16_384],
  ] as const) {
    const report = await runWriter({ folder, killAfterKeys, segmentSizeBytes });
    t.ok(report.acknowledged.length >= killAfterKeys);
    acknowledged.push(...report.acknowledged);
    const { store } = await openStore(t, { folder });
    const values = await Promise.all(acknowledged.map((key) => store.get(Buffer.from(key))));
    t.same(
      acknowledged.filter((key, index) => !values[index]?.toString().startsWith(key)),
      [],
    );
    t.equal(store.mayHaveForgotten, false, 'a log that ends in the middle of a write is whole');
    await store.close();
  }
});

for (const segmentSizeBytes of [0, 2 ** 30]) {
  const where = segmentSizeBytes === 0 ? 'under LevelDB' : 'under the value log';
  t.test(`a disk that fails ${where} fences the store for good`, async (t) => {
    const folder = newFolder();
    // In blocks of 512 bytes or of 1 KiB, as the shell has it: the log outgrows either.
    const limits = 'ulimit -f 2000';
    const { acknowledged, lines } = await runWriter({ folder, segmentSizeBytes, limits });
    t.ok(acknowledged.length > 0);
    t.match(lines, [
      /^health fenced a write to the disk failed: (IO error|EFBIG)/,
      'refused store-fenced',
      'read back true',
      'event error store.fenced',
      'closed',
    ]);
    const { store } = await openStore(t, { folder });
    const values = await Promise.all(acknowledged.map((key) => store.get(Buffer.from(key))));
    t.same(
      acknowledged.filter((key, index) => !values[index]?.toString().startsWith(key)),
      [],
    );
  });
}

t.test('write buffers are of different sizes, and none is larger than asked for', async (t) => {
  const sizeBytes = 32 * 1024 * 1024;
  const { random } = recordingHost();
  const drawn = Array.from({ length: 100 }, () => drawBufferSize(random, sizeBytes));
  t.ok(Math.max(...drawn) <= sizeBytes);
  t.ok(Math.min(...drawn) >= sizeBytes * 0.6);
  t.ok(new Set(drawn).size > 90);
});
