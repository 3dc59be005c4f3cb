/** Records: any object survives, no damaged record is ever taken for one. */

import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import t from 'tap';
import { causalHash } from '../../src/object/causality.ts';
import {
  bodyCrcOf,
  decodeChecked,
  decodeHead,
  decodeRecord,
  encodeRecord,
  isSoundRecord,
  joinRecord,
  recordCausalHash,
  sliceHead,
  sliceSoundHead,
} from '../../src/object/record.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import { objects } from './history.ts';

function recordOf(object: StoredObject): Buffer {
  return joinRecord(encodeRecord(object));
}

t.test('an object comes back as it was, its values without a copy', (t) => {
  fc.assert(
    fc.property(objects, (object) => {
      const record = recordOf(object);
      const decoded = decodeRecord(record);
      t.same(decoded, object);
      t.same(decodeChecked(record), object);
      t.ok(decoded?.siblings.every(({ value }) => value.buffer === record.buffer));
    }),
  );
  t.end();
});

t.test('the head alone tells all but the values', (t) => {
  fc.assert(
    fc.property(objects, (object) => {
      const { head } = encodeRecord(object);
      const bare = object.siblings.map(({ value, ...rest }) => ({
        ...rest,
        valueSizeBytes: value.length,
      }));
      t.same(decodeHead(head), { context: object.context, siblings: bare });
      t.same(decodeHead(recordOf(object)), decodeHead(head));
      t.same(sliceHead(recordOf(object)), head);
    }),
  );
  t.end();
});

t.test('the causal hash of a record is that of its object', (t) => {
  fc.assert(
    fc.property(objects, (object) => {
      const { head } = encodeRecord(object);
      return (
        recordCausalHash(head)?.equals(causalHash(object)) === true &&
        recordCausalHash(recordOf(object))?.equals(causalHash(object)) === true
      );
    }),
  );
  t.end();
});

t.test('one value is the body, not a copy of it', (t) => {
  fc.assert(
    fc.property(objects, (object) => {
      const [only] = object.siblings;
      if (object.siblings.length > 1 || only === undefined) return true;
      const { body } = encodeRecord(object);
      return only.value.length === 0 ? body === undefined : body === only.value;
    }),
  );
  t.end();
});

t.test('a record is sound, whole or as its head, exactly if it decodes', (t) => {
  fc.assert(
    fc.property(
      objects,
      fc.nat(),
      fc.nat({ max: 7 }),
      fc.boolean(),
      (object, at, bit, isFlipped) => {
        const record = recordOf(object);
        const index = at % record.length;
        if (isFlipped) record.writeUInt8(record.readUInt8(index) ^ (1 << bit), index);
        t.equal(isSoundRecord(record), decodeRecord(record) !== undefined);
        const head = sliceSoundHead(record);
        t.equal(head !== undefined, decodeHead(record) !== undefined);
        if (!isFlipped) t.same(head, sliceHead(record));
        for (const part of [record.subarray(0, index), Buffer.alloc(0)]) {
          t.equal(isSoundRecord(part), false);
        }
      },
    ),
  );
  t.end();
});

t.test('a head names the CRC of its body', (t) => {
  fc.assert(
    fc.property(objects, (object) => {
      const { head, body } = encodeRecord(object);
      return bodyCrcOf(head) === crc32(body ?? Buffer.alloc(0));
    }),
  );
  t.end();
});

t.test('an object whose values were left out has no record', (t) => {
  const [object] = fc.sample(objects, { seed: 1, numRuns: 1 });
  const siblings = object!.siblings.map((sibling) => ({ ...sibling, valueSizeBytes: 1_000 }));
  t.throws(() => encodeRecord({ ...object!, siblings }));
  t.end();
});

t.test('each flipped bit is noticed', (t) => {
  fc.assert(
    fc.property(objects, fc.nat(), (object, at) => {
      const record = Buffer.from(recordOf(object));
      const bit = at % (record.length * 8);
      record[bit >> 3]! ^= 1 << (bit & 7);
      const isInHead = bit >> 3 < encodeRecord(object).head.length;
      return (
        decodeRecord(record) === undefined &&
        (decodeHead(record) === undefined) === isInHead &&
        (recordCausalHash(record) === undefined) === isInHead
      );
    }),
    { numRuns: 1000 },
  );
  t.end();
});

t.test('each truncation and each byte too many is noticed', (t) => {
  fc.assert(
    fc.property(
      objects,
      fc.nat(),
      fc.uint8Array({ minLength: 1, maxLength: 9 }),
      (object, at, more) => {
        const record = recordOf(object);
        const head = encodeRecord(object).head;
        const size = at % record.length;
        const cut = record.subarray(0, size);
        return (
          decodeRecord(cut) === undefined &&
          (decodeHead(cut) === undefined) === size < head.length &&
          decodeRecord(Buffer.concat([record, more])) === undefined
        );
      },
    ),
    { numRuns: 500 },
  );
  t.end();
});

t.test('garbage is no record, and no error', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const record = Buffer.from(bytes);
      if (record.length > 0) record[0] = 1;
      return (
        decodeRecord(record) === undefined &&
        decodeHead(record) === undefined &&
        recordCausalHash(record) === undefined
      );
    }),
  );
  t.end();
});

/** A record with the right CRCs around any descriptions: what only a broken or hostile peer sends. */
function forge(object: StoredObject, descriptions: Uint8Array): Buffer {
  const { head, body } = encodeRecord(object);
  const causalitySize = head.readUInt32BE(5);
  const forged = Buffer.concat([
    head.subarray(0, 9 + causalitySize),
    descriptions,
    head.subarray(head.length - 8),
  ]);
  forged.writeUInt32BE(forged.length, 1);
  forged.writeUInt32BE(crc32(forged.subarray(0, forged.length - 4)), forged.length - 4);
  return Buffer.concat([forged, body ?? Buffer.alloc(0)]);
}

t.test('a record with right CRCs and wrong descriptions is refused', (t) => {
  const packr = new Packr({ useRecords: false });
  fc.assert(
    fc.property(
      objects,
      fc.oneof(
        fc.uint8Array({ maxLength: 60 }),
        fc.anything().map((value) => {
          try {
            return new Uint8Array(packr.pack(value));
          } catch {
            return new Uint8Array();
          }
        }),
      ),
      (object, descriptions) => {
        const forged = forge(object, descriptions);
        return decodeHead(forged) === undefined && decodeRecord(forged) === undefined;
      },
    ),
    { numRuns: 500 },
  );
  const [sibling] = fc.sample(objects, { seed: 1, numRuns: 1 }).map((object) => object);
  const count = sibling!.siblings.length;
  for (const description of [
    [1, 'v', 2, 0],
    [-1, 'v', 0, 0],
    [1.5, 'v', 0, 0],
    [1, 'ā', 0, 0],
    [1, 'v', 0, 2 ** 53],
    [1, 'v', 0, 0, 'type', null, null, ['b', 'k']],
    [1, 'v', 0, 0, 'type', null, null, null, ['k']],
    [1, 'v', 0, 0, 'type', null, null, null, null, ['f', 1]],
    [1, 'v', 0, 0, 5],
  ]) {
    const forged = forge(sibling!, packr.pack(Array.from({ length: count }, () => description)));
    t.equal(decodeHead(forged), undefined, JSON.stringify(description));
  }
  t.end();
});
