/** Exports and imports: what is in a file comes back, and a file that is damaged is told. */

import { appendFileSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import t from 'tap';
import { exportObjects } from '../../src/migrate/export-objects.ts';
import { importObjects } from '../../src/migrate/import-objects.ts';
import { KeyFile } from '../../src/migrate/key-file.ts';
import { Ledger } from '../../src/migrate/ledger.ts';
import { HEADER_LINE, encodeEndLine } from '../../src/migrate/object-line.ts';
import { ObjectFileWriter } from '../../src/migrate/object-file.ts';
import { scopeOf, scopeText } from '../../src/migrate/walk.ts';
import { name } from '../api/pbc/served.ts';
import { TYPE, change, keyOf, newFolder, remove, serveEnd, valuesOf } from './two-ends.ts';
import type { OneEnd } from './two-ends.ts';

const SCOPE = scopeOf([TYPE], undefined);
const PACE = { concurrency: 8, rate: undefined, failuresMax: 10, isQuiet: true };

async function exportOnce({ end }: OneEnd, file: string, keysTo?: string) {
  const keyFile = await KeyFile.open(keysTo);
  try {
    const options = { ...PACE, file, scope: SCOPE, expected: undefined };
    return await exportObjects({ source: end, keyFile }, options);
  } finally {
    await keyFile.close();
  }
}

async function importOnce({ end }: OneEnd, file: string, folder?: string) {
  const place = { from: ['a file'], to: ['b:1'], isReverse: false };
  const ledger = folder === undefined ? undefined : await Ledger.open({ folder, ...place });
  const ends = { target: end, ledger, keyFile: await KeyFile.open(undefined) };
  const way = { carriesDeletes: false, deletesMax: 0, onConflict: 'keep' } as const;
  const options = { ...PACE, ...way, file };
  try {
    return await importObjects(ends, options);
  } finally {
    await ledger?.close();
  }
}

t.test('what was exported is imported as it was, compressed or not', async (t) => {
  const source = await serveEnd(t);
  for (let index = 0; index < 30; index += 1) await change(source, `k${index}`, `${index}`);
  for (const value of ['one', 'two']) {
    await source.client.put(keyOf('siblings'), { value: Buffer.from(value) });
  }
  for (const ending of ['ndjson', 'ndjson.gz']) {
    const file = join(newFolder(t), `objects.${ending}`);
    t.match(await exportOnce(source, file), { isWhole: true, objects: 31, failed: 0 });
    t.equal(statSync(file).mode & 0o777, 0o600);
    t.notOk(existsSync(`${file}.progress`));
    await t.rejects(exportOnce(source, file), { code: 'config', message: /is there already/ });
    const target = await serveEnd(t);
    t.match(await importOnce(target, file), { isSettled: true, outcomes: { copied: 31 } });
    t.same(await valuesOf(target, 'siblings'), ['one', 'two']);
    t.same(await valuesOf(target, 'k29'), ['29']);
    t.match(await importOnce(target, file), { isSettled: true, outcomes: { same: 31 } });
  }
});

t.test('an export that was broken off goes on behind what is on disk', async (t) => {
  const source = await serveEnd(t);
  for (const text of ['a', 'b', 'c']) await change(source, text, text);
  for (const ending of ['ndjson', 'ndjson.gz']) {
    const file = join(newFolder(t), `objects.${ending}`);
    const whole = join(newFolder(t), `objects.${ending}`);
    await exportOnce(source, whole);
    const broken = await ObjectFileWriter.open(file, scopeText(SCOPE));
    await broken.close();
    // What was on its way to the disk.
    appendFileSync(file, '{"type":"sibl');
    const other = scopeText(scopeOf([TYPE], [TYPE]));
    await t.rejects(ObjectFileWriter.open(file, other), { message: /other types or buckets/ });
    t.match(await exportOnce(source, file), { isResumed: true, isWhole: true, objects: 3 });
    const linesOf = (path: string) => {
      const bytes = readFileSync(path);
      return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString().split('\n').sort();
    };
    t.same(linesOf(file), linesOf(whole));
  }
});

t.test('an export does not go on with a file that is shorter than it was', async (t) => {
  const source = await serveEnd(t);
  await change(source, 'a', 'a');
  const file = join(newFolder(t), 'objects.ndjson');
  const broken = await ObjectFileWriter.open(file, scopeText(SCOPE));
  await broken.close();
  truncateSync(file, 3);
  await t.rejects(exportOnce(source, file), { code: 'config', message: /is shorter than it was/ });
});

t.test('an export that another goes on with ends, and leaves that one whole', async (t) => {
  const source = await serveEnd(t);
  await change(source, 'a', 'a');
  const file = join(newFolder(t), 'objects.ndjson');
  const first = await ObjectFileWriter.open(file, scopeText(SCOPE));
  const second = await ObjectFileWriter.open(file, scopeText(SCOPE));
  // More than is gathered, so it is written at once.
  await first.add('x'.repeat(5 * 1024 * 1024));
  await t.rejects(first.checkpoint(undefined), { code: 'config', message: /another export/ });
  await t.rejects(first.finish(), { code: 'config', message: /another export/ });
  await first.close();
  await second.close();
  t.match(await exportOnce(source, file), { isResumed: true, isWhole: true, objects: 1 });
  t.match(await importOnce(source, file), { isSettled: true, damage: undefined, objects: 1 });
});

t.test('what an export could not read before it was broken off is told by its end', async (t) => {
  const source = await serveEnd(t);
  for (const text of ['a', 'b']) await change(source, text, text);
  const [file, keysTo] = [join(newFolder(t), 'objects.ndjson'), join(newFolder(t), 'keys')];
  writeFileSync(keysTo, 'named before\n');
  const broken = await ObjectFileWriter.open(file, scopeText(SCOPE));
  broken.failed += 1;
  const behind = { type: TYPE, bucket: name('a-bucket'), continuation: undefined };
  await broken.checkpoint(behind);
  await broken.close();
  t.match(await exportOnce(source, file, keysTo), { isWhole: true, objects: 2, failed: 1 });
  t.equal(readFileSync(keysTo, 'utf8'), 'named before\n');
  await exportOnce(source, `${file}.gz`, keysTo);
  t.equal(readFileSync(keysTo, 'utf8'), '', 'begun anew with the export');
});

t.test('an import with a ledger brings nothing back', async (t) => {
  const [source, target] = [await serveEnd(t), await serveEnd(t)];
  for (const text of ['a', 'b', 'c']) await change(source, text, 'old');
  const file = join(newFolder(t), 'objects.ndjson');
  await exportOnce(source, file);
  const ledger = newFolder(t);
  t.match(await importOnce(target, file, ledger), { isSettled: true, outcomes: { copied: 3 } });
  await change(target, 'a', 'newer');
  await remove(target, 'b');
  t.match(await importOnce(target, file, ledger), { isSettled: true, outcomes: { unchanged: 3 } });
  t.same(await valuesOf(target, 'a'), ['newer']);
  t.same(await valuesOf(target, 'b'), []);
});

t.test('lines that leave out who wrote them are told apart by what they hold', async (t) => {
  const target = await serveEnd(t);
  const [file, ledger] = [join(newFolder(t), 'objects.ndjson'), newFolder(t)];
  const key = { type: TYPE, bucket: 'patients', key: 'a' };
  const importAs = (value: string) => {
    const line = JSON.stringify({ ...key, siblings: [{ value: btoa(value) }] });
    writeFileSync(file, [HEADER_LINE, line, encodeEndLine(1), ''].join('\n'));
    return importOnce(target, file, ledger);
  };
  t.match(await importAs('old'), { isSettled: true, outcomes: { copied: 1 } });
  t.match(await importAs('old'), { isSettled: true, outcomes: { unchanged: 1 } });
  t.match(await importAs('new'), { isSettled: true, outcomes: { copied: 1 } });
  t.same(await valuesOf(target, 'a'), ['new']);
});

t.test('of the lines of one key the last stays', async (t) => {
  const target = await serveEnd(t);
  const [file, ledger] = [join(newFolder(t), 'objects.ndjson'), newFolder(t)];
  const line = (value: string, vtag: string) => {
    const sibling = { value: btoa(value), vtag, lastModifiedMicros: 1 };
    return JSON.stringify({ type: TYPE, bucket: 'patients', key: 'a', siblings: [sibling] });
  };
  const lines = [line('one', 'x'), line('two', 'y'), line('two', 'y')];
  writeFileSync(file, [HEADER_LINE, ...lines, encodeEndLine(3), ''].join('\n'));
  const outcomes = { copied: 2, 'done-before': 1 };
  t.match(await importOnce(target, file, ledger), { isSettled: true, outcomes });
  t.same(await valuesOf(target, 'a'), ['two']);
});

t.test('a damaged file is told by its line, and what is before it is carried', async (t) => {
  const target = await serveEnd(t);
  const line = (key: string) =>
    JSON.stringify({ type: TYPE, bucket: 'patients', key, siblings: [{ value: 'dg==' }] });
  const damageOf = async (lines: readonly string[], ending = '\n') => {
    const file = join(newFolder(t), 'objects.ndjson');
    writeFileSync(file, lines.join('\n') + ending);
    const summary = await importOnce(target, file);
    t.equal(summary.isSettled, summary.damage === undefined);
    return summary.damage?.slice(file.length);
  };
  const end = encodeEndLine(1);
  t.equal(await damageOf([HEADER_LINE, line('a'), end]), undefined);
  t.equal(
    await damageOf([HEADER_LINE, line('b'), '{"type":1}', end]),
    ', line 3: type is no object',
  );
  t.same(await valuesOf(target, 'b'), ['v'], 'what is before');
  t.equal(await damageOf([line('c'), end]), ', line 1: the file does not begin as an export');
  t.equal(await damageOf([HEADER_LINE, HEADER_LINE]), ', line 2: a second beginning');
  t.equal(
    await damageOf([HEADER_LINE, line('a')]),
    ' has no last line: it was not written to its end',
  );
  t.equal(
    await damageOf([HEADER_LINE, line('a')], ''),
    ', line 2: it has no end: the file is cut off',
  );
  t.equal(await damageOf([HEADER_LINE, end]), ', line 2: 1 objects were written, and 0 are here');
  t.equal(
    await damageOf([HEADER_LINE, line('a'), end, line('d')]),
    ', line 4: there is more behind the last line',
  );
  t.equal(await damageOf(['\0'.repeat(9)]), ', line 1: it is no JSON');

  const compressed = join(newFolder(t), 'objects.gz');
  writeFileSync(compressed, gzipSync([HEADER_LINE, line('a'), end, ''].join('\n')));
  t.match(await importOnce(target, compressed), { isSettled: true });
  truncateSync(compressed, statSync(compressed).size - 9);
  t.match(await importOnce(target, compressed), { damage: /no gzip from here on, or cut off/ });
  writeFileSync(compressed, 'plain');
  t.match(await importOnce(target, compressed), { damage: /line 1: the file is no gzip/ });
});
