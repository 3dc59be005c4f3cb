/** Index entries: fields and terms have one form, and integers sort as numbers. */

import fc from 'fast-check';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { EMPTY_VERSION_VECTOR } from '../../src/clock/version-vector.ts';
import type { Actor } from '../../src/clock/version-vector.ts';
import {
  compareIndexEntries,
  compareIntegerTerms,
  decodeIntegerTerm,
  encodeIntegerTerm,
  indexEntriesOf,
  parseIndexEntries,
  parseIndexEntry,
} from '../../src/object/index-entries.ts';
import type { IndexEntry, ObjectHead } from '../../src/object/stored-object.ts';
import { PROPERTIES, byteStrings } from './history.ts';

const b = (text: string): ByteString => text as ByteString;
const entry = (field: string, term: string): IndexEntry => ({ field: b(field), term: b(term) });

const integers = fc.oneof(
  fc.bigInt({ min: -1000n, max: 1000n }),
  fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
);

function byteOrder(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left, 'latin1'), Buffer.from(right, 'latin1'));
}

t.test('integer terms sort as their numbers, in bytes too', (t) => {
  fc.assert(
    fc.property(integers, integers, (left, right) => {
      const expected = left === right ? 0 : left < right ? -1 : 1;
      const [l, r] = [b(left.toString()), b(right.toString())];
      return (
        Math.sign(compareIntegerTerms(l, r)) === expected &&
        byteOrder(encodeIntegerTerm(l), encodeIntegerTerm(r)) === expected
      );
    }),
    { numRuns: 2000 },
  );
  t.end();
});

t.test('an integer term comes back as it was', (t) => {
  fc.assert(
    fc.property(integers, (value) => {
      const term = b(value.toString());
      return decodeIntegerTerm(encodeIntegerTerm(term)) === term;
    }),
  );
  const long = b(`-${'9'.repeat(12_345)}`);
  t.equal(decodeIntegerTerm(encodeIntegerTerm(long)), long);
  t.end();
});

t.test('a long text that only looks like an integer is refused at once', (t) => {
  // A million steps; as many squared would not end within the suite.
  for (const text of [`${'0'.repeat(1_000_000)}x`, `-${'7'.repeat(1_000_000)} `]) {
    t.equal(parseIndexEntry(b('n_int'), b(text)).kind, 'unparsable');
  }
  const zeros = parseIndexEntry(b('n_int'), b(`-${'0'.repeat(1_000_000)}`));
  t.same(zeros, { kind: 'entry', entry: entry('n_int', '0') });
  t.end();
});

t.test('bytes that are no encoded integer decode to nothing', (t) => {
  for (const bytes of [
    '',
    'p',
    'n',
    'p11',
    'p1105',
    'p12x',
    'n889',
    'p211',
    'p120',
    'x115',
    'p115 ',
  ]) {
    t.equal(decodeIntegerTerm(b(bytes)), undefined, JSON.stringify(bytes));
  }
  fc.assert(
    fc.property(byteStrings(12), (bytes) => {
      const term = decodeIntegerTerm(bytes);
      return term === undefined || encodeIntegerTerm(term) === bytes;
    }),
  );
  t.end();
});

t.test('fields are lower-cased and integers have one form', (t) => {
  const parsed = [
    ['Name_BIN', 'Bob', entry('name_bin', 'Bob')],
    ['age_int', '007', entry('age_int', '7')],
    ['age_int', '+8', entry('age_int', '8')],
    ['age_int', '-0', entry('age_int', '0')],
    ['age_int', '-007', entry('age_int', '-7')],
    ['$key', 'k', entry('$key', 'k')],
    ['caf\xc9\xd7_bin', '', entry('caf\xe9\xd7_bin', '')],
  ] as const;
  for (const [name, value, expected] of parsed) {
    t.same(parseIndexEntry(b(name), b(value)), { kind: 'entry', entry: expected });
  }
  t.end();
});

t.test('fields of no type and terms that are no integers are told apart', (t) => {
  t.same(parseIndexEntry(b('Colour'), b('x')), { kind: 'unknown-field-type', field: 'colour' });
  for (const value of ['abc', '1.5', '', ' 1', '1 ', '--1', '0x1', '1e3', '\xb2']) {
    t.same(parseIndexEntry(b('Age_int'), b(value)), {
      kind: 'unparsable',
      field: 'age_int',
      value,
    });
  }
  t.same(
    parseIndexEntries([
      [b('z'), b('v')],
      [b('a_int'), b('x')],
      [b('f_bin'), b('v')],
      [b('z'), b('w')],
      [b('a_int'), b('a')],
    ]),
    {
      kind: 'refused',
      refusals: [
        { kind: 'unparsable', field: 'a_int', value: 'a' },
        { kind: 'unparsable', field: 'a_int', value: 'x' },
        { kind: 'unknown-field-type', field: 'z' },
      ],
    },
  );
  t.end();
});

t.test('entries are sorted and without duplicates', (t) => {
  const pairs: [ByteString, ByteString][] = [
    [b('n_int'), b('10')],
    [b('n_int'), b('+2')],
    [b('a_bin'), b('z')],
    [b('N_INT'), b('-3')],
    [b('n_int'), b('02')],
    [b('a_bin'), b('B')],
  ];
  t.same(parseIndexEntries(pairs), {
    kind: 'entries',
    entries: [
      entry('a_bin', 'B'),
      entry('a_bin', 'z'),
      entry('n_int', '-3'),
      entry('n_int', '2'),
      entry('n_int', '10'),
    ],
  });
  t.end();
});

function objectOf(
  ...siblings: readonly { indexes?: readonly IndexEntry[]; isTombstone?: boolean }[]
): ObjectHead {
  return {
    context: EMPTY_VERSION_VECTOR,
    siblings: siblings.map(({ indexes, isTombstone = false }, index) => ({
      dot: { actor: 'an actor: 18 bytes' as Actor, counter: index + 1 },
      lastModifiedMicros: index,
      vtag: 'v',
      metadata: indexes === undefined ? {} : { indexes },
      isTombstone,
      valueSizeBytes: 0,
    })),
  };
}

t.test('an object is indexed under the entries of all siblings that are shown', (t) => {
  const first = { indexes: [entry('a_bin', '1'), entry('n_int', '5')] };
  const second = { indexes: [entry('a_bin', '1'), entry('a_bin', '2')] };
  const object = objectOf(first, second, { indexes: [entry('x_bin', '')], isTombstone: true });
  t.same(indexEntriesOf(object, PROPERTIES.dotted), [
    entry('a_bin', '1'),
    entry('a_bin', '2'),
    entry('n_int', '5'),
  ]);
  t.same(indexEntriesOf(objectOf(first, second), PROPERTIES.single), second.indexes);
  t.same(indexEntriesOf(object, PROPERTIES.single), [], 'the newest is a tombstone');
  t.same(indexEntriesOf(objectOf(first), { ...PROPERTIES.dotted, write_once: true }), []);
  t.same(indexEntriesOf(objectOf({ indexes: [entry('$key', 'k')] }), PROPERTIES.dotted), []);
  t.end();
});

t.test('comparing entries is a total order', (t) => {
  const entries = fc.oneof(
    integers.map((value) => entry('n_int', value.toString())),
    byteStrings(3).map((term) => entry('a_bin', term)),
  );
  fc.assert(
    fc.property(entries, entries, entries, (x, y, z) => {
      const isAntisymmetric =
        Math.sign(compareIndexEntries(x, y)) === -Math.sign(compareIndexEntries(y, x));
      const isTransitive =
        compareIndexEntries(x, y) > 0 ||
        compareIndexEntries(y, z) > 0 ||
        compareIndexEntries(x, z) <= 0;
      return isAntisymmetric && isTransitive;
    }),
  );
  t.end();
});
