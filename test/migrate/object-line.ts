/** Objects as lines of JSON: what is written is read again, and what is hostile is refused. */

import { deepStrictEqual } from 'node:assert';
import fc from 'fast-check';
import t from 'tap';
import { bytesToByteString } from '../../src/base/bytes.ts';
import { isFault } from '../../src/base/fault.ts';
import { HEADER_LINE, decodeLine, encodeEndLine } from '../../src/migrate/object-line.ts';
import { encodeObjectLine } from '../../src/migrate/object-line.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { DatatypeValue, FieldValue } from '../../src/datatype/operation.ts';
import type { ObjectLine } from '../../src/migrate/object-line.ts';

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
const anyName = bytes.map(bytesToByteString);
const keyName = fc.uint8Array({ minLength: 1, maxLength: 12 }).map(bytesToByteString);
const pair = fc.tuple(anyName, anyName);

const metadata = fc.record(
  {
    contentType: anyName,
    charset: anyName,
    contentEncoding: anyName,
    userMetadata: fc.array(pair, { maxLength: 3 }),
    links: fc.array(
      fc.record({
        bucket: fc.option(anyName, { nil: undefined }),
        key: fc.option(anyName, { nil: undefined }),
        tag: fc.option(anyName, { nil: undefined }),
      }),
      { maxLength: 3 },
    ),
    indexes: fc.array(fc.record({ field: anyName, term: anyName }), { maxLength: 3 }),
  },
  { requiredKeys: [] },
);

const sibling = fc.record({
  value: bytes,
  metadata,
  vtag: fc.string({ unit: 'binary-ascii' }),
  lastModifiedMicros: fc.nat(),
});

const counter = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => {
  return { kind: 'counter', value } as const;
});
const elements = fc.array(anyName, { maxLength: 4 });
const set = elements.map((held) => ({ kind: 'set', elements: held }) as const);

const { map } = fc.letrec<{ field: FieldValue; map: FieldValue }>((tie) => ({
  field: fc.oneof(
    { depthSize: 'small' },
    counter,
    set,
    anyName.map((value) => ({ kind: 'register', value }) as const),
    fc.boolean().map((isEnabled) => ({ kind: 'flag', isEnabled }) as const),
    tie('map'),
  ),
  map: fc.array(fc.tuple(anyName, tie('field')), { maxLength: 3 }).map((fields) => ({
    kind: 'map',
    fields: fields.map(([text, value]) => ({ field: { name: text, kind: value.kind }, value })),
  })),
}));

const datatype: fc.Arbitrary<DatatypeValue> = fc.oneof(
  counter,
  set,
  elements.map((held) => ({ kind: 'gset', elements: held }) as const),
  fc.nat().map((count) => ({ kind: 'hll', count }) as const),
  map as fc.Arbitrary<DatatypeValue>,
);

const sketch = fc
  .uint8Array({ minLength: 16, maxLength: 16, max: 61 })
  .map((registers) => ({ kind: 'sketch', registers }) as const);

const objectLine: fc.Arbitrary<ObjectLine> = fc.record({
  key: fc.record({ type: keyName, bucket: keyName, key: keyName }),
  context: fc.option(bytes, { nil: undefined }),
  carried: fc.oneof(
    fc
      .array(sibling, { minLength: 1, maxLength: 3 })
      .map((siblings) => ({ kind: 'siblings', siblings }) as const),
    datatype.map((value) => ({ kind: 'datatype', value }) as const),
    sketch,
  ),
});

t.test('a line is read as it was written', (t) => {
  fc.assert(
    fc.property(objectLine, (line) => {
      const text = encodeObjectLine(line);
      if (text.includes('\n')) throw new Error('it is more than one line');
      const read = decodeLine(Buffer.from(text));
      // Without fast-check's prototypes.
      deepStrictEqual(structuredClone(read), structuredClone({ kind: 'object', ...line }));
    }),
    { numRuns: 60 },
  );
  t.same(decodeLine(Buffer.from(HEADER_LINE)), { kind: 'header' });
  t.same(decodeLine(Buffer.from(encodeEndLine(7))), { kind: 'end', objects: 7 });
  t.end();
});

t.test('whatever a line says, it is an object or malformed', (t) => {
  const isRead = (line: Buffer): void => {
    try {
      decodeLine(line);
    } catch (error) {
      if (!isFault(error, 'malformed')) throw error;
    }
  };
  const json = fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text));
  fc.assert(fc.property(fc.oneof(bytes, json), isRead), { numRuns: 100 });
  // A line that is nearly right: one byte of it is another.
  const damaged = fc.record({ objectLine, at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) });
  fc.assert(
    fc.property(damaged, ({ objectLine: line, at, byte }) => {
      const text = Buffer.from(encodeObjectLine(line));
      text[at % text.length] = byte;
      isRead(text);
    }),
    { numRuns: 100 },
  );
  t.end();
});

t.test('what is wrong is said, and nothing of what the line holds', (t) => {
  const good = { type: 'default', bucket: 'b', key: 'k', siblings: [{ value: '' }] };
  const refuses = (line: unknown, why: RegExp): void => {
    const text = typeof line === 'string' ? line : JSON.stringify(line);
    t.throws(() => decodeLine(Buffer.from(text)), { code: 'malformed', message: why });
  };
  decodeLine(Buffer.from(JSON.stringify(good)));
  refuses('{', /no JSON/);
  refuses('[]', /no object/);
  refuses('['.repeat(100_000), /nested too deeply/);
  refuses({ 'vertebra-objects': 2 }, /version/);
  refuses({ ...good, key: '' }, /key has to be of 1 to 65535 bytes/);
  refuses({ ...good, key: 'x'.repeat(65_536) }, /key has to be/);
  refuses({ ...good, key: undefined }, /key is missing/);
  refuses({ ...good, key: { base64: '?' } }, /key is no base64/);
  refuses({ ...good, bucket: '\ud800' }, /bucket is no text/);
  refuses({ ...good, siblings: [] }, /siblings is empty/);
  refuses({ ...good, datatype: { counter: '1' } }, /either siblings or a datatype/);
  refuses({ ...good, siblings: [{ value: 'Zg' }] }, /value is no base64/);
  refuses({ ...good, siblings: [{ value: '', indexes: [['a_bin']] }] }, /a pair has two parts/);
  const typed = (datatype: unknown) => ({ ...good, siblings: undefined, datatype });
  refuses(typed({ counter: '9223372036854775808' }), /64 bits/);
  refuses(typed({ register: 'x' }), /fields of maps only/);
  refuses(typed({ map: [['a']] }), /a field has no value/);
  refuses(typed({ hll: 1, state: 'AQQE' }), /state is none of a HyperLogLog/);
  refuses(typed({ map: [['a', { gset: [] }]] }), /no type that is known/);
  const name = 'Okafor' as ByteString;
  try {
    decodeLine(Buffer.from(JSON.stringify({ ...good, siblings: [{ value: name }] })));
    t.fail('it is no base64');
  } catch (error) {
    t.notMatch(String(error), /Okafor/);
  }
  t.end();
});
