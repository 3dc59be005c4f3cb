/** What no encoder made is known as such before a decoder meets it. */

import assert from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Level } from 'level';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import type { NodeId, Partition } from '../../src/base/names.ts';
import { isWellFormedKey } from '../../src/storage/key-form.ts';
import {
  decodeHintKey,
  decodeIndexKey,
  decodeMemberKey,
  decodeObjectKey,
  decodeTombKey,
  decodeTreeKey,
  encodeHintKey,
  encodeIndexKey,
  encodeMemberKey,
  encodeMetaKey,
  encodeObjectKey,
  encodeTombKey,
  encodeTreeKey,
  partitionRange,
} from '../../src/storage/keys.ts';
import { openLevelDbStore } from '../../src/storage/open-leveldb.ts';
import { recordingHost } from './recording-host.ts';
import { put, scanAll } from './store-compliance.ts';

const DECODERS: Readonly<Record<string, (bytes: Buffer) => unknown>> = {
  o: decodeObjectKey,
  i: decodeIndexKey,
  h: decodeHintKey,
  d: decodeTombKey,
  s: decodeMemberKey,
  t: decodeTreeKey,
};

const name = fc
  .array(fc.constantFrom('\x00', '\x01', 'a', 'b', '\xff'), { maxLength: 4 })
  .map((bytes) => bytes.join('') as ByteString);
const partition = fc.integer({ min: 0, max: 0xffff }) as fc.Arbitrary<Partition>;
const objectKey = fc.record({ type: name, bucket: name, key: name });

/** One key of each kind. */
const keys = fc
  .record({ partition, key: objectKey, field: name, term: name, segment: fc.nat({ max: 0xffff }) })
  .map(({ partition, key, field, term, segment }) => [
    encodeObjectKey(partition, key),
    encodeIndexKey(partition, key, { field, term }),
    encodeHintKey(`${term}@host` as NodeId, partition, key),
    encodeTombKey(partition, key),
    encodeMemberKey(encodeObjectKey(partition, key), segment),
    encodeTreeKey({ partition, nVal: 3, segment }),
    encodeMetaKey(term),
  ]);

function decodes(bytes: Buffer): boolean {
  try {
    DECODERS[String.fromCharCode(bytes[0] ?? 0)]?.(bytes);
    return true;
  } catch {
    return false;
  }
}

t.test('each key that is made is well formed', (t) => {
  fc.assert(
    fc.property(keys, (made) => made.every(isWellFormedKey)),
    { numRuns: 300 },
  );
  t.end();
});

t.test('whatever is well formed can be decoded', (t) => {
  const damage = fc.record({ at: fc.nat(), to: fc.constantFrom(0, 1, 7, 0xff), cut: fc.nat(6) });
  fc.assert(
    fc.property(keys, damage, (made, { at, to, cut }) => {
      for (const key of made) {
        const damaged = Buffer.from(key.subarray(0, Math.max(1, key.length - cut)));
        // Which space it is of, the range of the scan has told.
        if (damaged.length > 1) damaged[1 + (at % (damaged.length - 1))] = to;
        assert.ok(!isWellFormedKey(damaged) || decodes(damaged), damaged.toString('latin1'));
      }
    }),
    { numRuns: 1_000 },
  );
  t.end();
});

t.test('a damaged key hides no other, and who scans all hears of it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-keys-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const place = { partition: 3 as Partition, type: 'default', bucket: 'patients' };
  const entries = Array.from({ length: 9 }, (_, index) => {
    return encodeObjectKey(place.partition, {
      type: 'default' as ByteString,
      bucket: 'patients' as ByteString,
      key: `${index}` as ByteString,
    });
  });
  const open = () => openLevelDbStore(recordingHost(), { folder, isKey: isWellFormedKey });
  const store = await open();
  await store.write(entries.map((key) => put(key, 'v')));
  await store.close();
  const database = new Level<Buffer, Buffer>(folder, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  });
  // As LevelDB shows it when a bit flips in its table.
  const damaged = Buffer.from(entries[4] as Buffer);
  damaged.writeUInt8(1, damaged.indexOf(0, 3));
  await database.batch([
    { type: 'del', key: entries[4] as Buffer },
    { type: 'put', key: damaged, value: Buffer.from('v') },
  ]);
  await database.close();

  const again = await open();
  t.teardown(() => again.close());
  const sound = entries.filter((_, index) => index !== 4);
  const range = partitionRange(place.partition);
  const shown: Buffer[] = [];
  const scan = async (): Promise<void> => {
    for await (const batch of again.scan(range)) shown.push(...batch.map(({ key }) => key));
  };
  await t.rejects(scan(), { code: 'store-corrupt', message: 'a key is damaged' });
  t.same(shown, sound);
  for (const limit of [1, 8, 9]) {
    const found = await scanAll(again, { ...range, limit });
    t.same(
      found.map(({ key }) => key),
      sound.slice(0, limit),
      'a page is as long as it can be',
    );
  }
});
