/** Tables that LevelDB wrote are read block by block, damage is found, and what is sound is a table again. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Level } from 'level';
import t from 'tap';
import { readTable, writeTable } from '../../src/storage/table-file.ts';

const root = mkdtempSync(join(tmpdir(), 'vertebra-table-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));

const ENTRIES = 2_000;
const FOOTER_SIZE = 48;

function keyOf(index: number): string {
  return `a key with much in common ${String(index).padStart(6, '0')}`;
}

/** One table; its values cannot be packed, its index can. */
async function tableIn(folder: string): Promise<string> {
  const database = new Level<string, Buffer>(folder, { valueEncoding: 'buffer' });
  for (let index = 0; index < ENTRIES; index += 1)
    await database.put(keyOf(index), randomBytes(60));
  await compact(database);
  await database.close();
  const tables = readdirSync(folder).filter((name) => name.endsWith('.ldb'));
  t.equal(tables.length, 1, 'one table');
  return join(folder, tables[0] as string);
}

/** In Node, `Level` is classic-level's own class, which its published type leaves out. */
function compact(database: Level<string, Buffer>): Promise<void> {
  const classic = database as unknown as { compactRange(from: string, to: string): Promise<void> };
  return classic.compactRange('', '\xff');
}

async function keysIn(folder: string): Promise<string[]> {
  const database = new Level<string, Buffer>(folder, { valueEncoding: 'buffer' });
  const keys = await database.keys().all();
  await database.close();
  return keys;
}

const folder = join(root, 'level');
const file = await tableIn(folder);
const table = readFileSync(file);

t.test('each block of a sound table is sound', (t) => {
  const { blocks = [], hasSoundFilter } = readTable(table) ?? {};
  t.ok(blocks.length > 20, `${blocks.length} blocks`);
  t.equal(hasSoundFilter, true);
  t.ok(blocks.every(({ isSound }) => isSound));
  t.end();
});

t.test('a flipped bit is found, and in the block where it is', (t) => {
  fc.assert(
    fc.property(fc.nat(table.length - FOOTER_SIZE - 1), fc.nat(7), (at, bit) => {
      const damaged = Buffer.from(table);
      damaged.writeUInt8(damaged.readUInt8(at) ^ (1 << bit), at);
      const content = readTable(damaged);
      if (content === undefined) return true;
      const unsound = content.blocks.filter(({ isSound }) => !isSound);
      const [only] = unsound;
      if (only === undefined) return !content.hasSoundFilter;
      const start = only.bytes.byteOffset - damaged.byteOffset;
      return unsound.length === 1 && start <= at && at < start + only.bytes.length;
    }),
    { numRuns: 200 },
  );
  const unread = [table.length - 1, table.length - FOOTER_SIZE - 1].map((at) => {
    const damaged = Buffer.from(table);
    damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
    return readTable(damaged);
  });
  t.same(unread, [undefined, undefined], 'the footer and the index');
  t.end();
});

t.test('what is no table is none, and no error', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, hasFooter) => {
      const footer = hasFooter ? table.subarray(table.length - FOOTER_SIZE) : Buffer.alloc(0);
      return readTable(Buffer.concat([bytes, footer])) === undefined;
    }),
  );
  t.end();
});

t.test('LevelDB reads the table that is left without a block', async (t) => {
  const blocks = readTable(table)?.blocks ?? [];
  const kept = blocks.filter((_, index) => index !== 3);
  writeFileSync(file, writeTable(kept));
  // A manifest knows the size of its tables; LevelDB finds out anew what it has.
  await (Level as unknown as { repair(location: string): Promise<void> }).repair(folder);
  const keys = await keysIn(folder);
  t.ok(keys.length < ENTRIES && keys.length > ENTRIES * 0.9, `${keys.length} keys`);
  const [first = '', last = ''] = [keys[0], keys.at(-1)];
  t.same([first, last], [keyOf(0), keyOf(ENTRIES - 1)], 'the ends are there');
  t.same(readTable(writeTable(kept))?.blocks, kept);
});
