/**
 * Erlang's external format: what goes out comes back, and hostile bytes cost nothing.
 */

import fc from 'fast-check';
import t from 'tap';
import { decodeTerm, encodeTerm } from '../../src/mapreduce/external-term.ts';
import { atom, compareTerms, tuple } from '../../src/mapreduce/term.ts';
import type { Term } from '../../src/mapreduce/term.ts';

const { term: anyTerm } = fc.letrec<{ term: Term }>((tie) => ({
  term: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.bigInt({ min: -(2n ** 300n), max: 2n ** 300n }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.uint8Array().map((bytes): Term => Buffer.from(bytes)),
    fc.string({ maxLength: 50 }).map(atom),
    fc.array(tie('term'), { maxLength: 5 }),
    fc.array(tie('term'), { maxLength: 5 }).map((items) => tuple(...items)),
    fc
      .array(fc.tuple(tie('term'), tie('term')), { maxLength: 3 })
      .map((pairs): Term => ({ kind: 'map', pairs })),
  ),
}));

t.test('what is written is read back', (t) => {
  fc.assert(
    fc.property(anyTerm, (term) => {
      const bytes = encodeTerm(term);
      t.ok(bytes !== undefined);
      const back = decodeTerm(bytes as Buffer);
      return back !== undefined && encodeTerm(back)?.equals(bytes as Buffer) === true;
    }),
  );
  t.end();
});

t.test('the order of terms is one', (t) => {
  fc.assert(
    fc.property(anyTerm, anyTerm, anyTerm, (a, b, c) => {
      const isOpposite = Math.sign(compareTerms(a, b)) === -Math.sign(compareTerms(b, a));
      const [low, middle, high] = [a, b, c].sort(compareTerms) as [Term, Term, Term];
      const isTransitive = compareTerms(low, high) <= 0 && compareTerms(low, middle) <= 0;
      return isOpposite && isTransitive && compareTerms(a, a) === 0;
    }),
  );
  t.end();
});

t.test('kinds are ordered as in Erlang', (t) => {
  const ordered: Term[] = [1n, 1.5, 2n, atom('a'), tuple(1n), [], [1n], Buffer.from('')];
  t.same([...ordered].reverse().sort(compareTerms), ordered);
  t.end();
});

t.test('terms as Erlang itself writes them are read', (t) => {
  const read = (hex: string) => decodeTerm(Buffer.from(hex, 'hex'));
  t.same(read('83612a'), 42n);
  t.same(read('8362ffffffff'), -1n);
  t.same(read('836e0801ffffffffffffffff'), -0xffffffffffffffffn);
  t.same(read('836400026f6b'), atom('ok'));
  t.same(read('8377026f6b'), atom('ok'));
  t.same(read('836b0003010203'), [1n, 2n, 3n]);
  t.same(read('83680261016d0000000178'), tuple(1n, Buffer.from('x')));
  t.same(read('83463ff8000000000000'), 1.5);
  t.same(read(`8363${Buffer.from('1.5e+00'.padEnd(31, '\0')).toString('hex')}`), 1.5);
  t.end();
});

t.test('an atom has 255 characters at most, as in Erlang', (t) => {
  const latin1 = (count: number): Buffer => {
    const head = Buffer.from([131, 100, count >> 8, count & 0xff]);
    return Buffer.concat([head, Buffer.alloc(count, 0xe9)]);
  };
  const longest = atom('é'.repeat(255));
  t.same(decodeTerm(latin1(255)), longest);
  t.same(decodeTerm(encodeTerm(longest) ?? Buffer.alloc(0)), longest);
  t.equal(decodeTerm(latin1(256)), undefined);
  t.equal(decodeTerm(latin1(65_535)), undefined);
  t.end();
});

t.test('bytes that are no term, or one too large, are refused', (t) => {
  const refused = [
    '',
    '83',
    '61',
    '8361',
    '83612a00',
    '836cffffffff',
    '8369ffffffff',
    '8374ffffffff',
    '836dffffffff61',
    // An improper list, a reference, a compressed term, a number that is none, a huge integer.
    '836c0000000161016102',
    '8372000364',
    '8350000000',
    '83467ff8000000000000',
    `836f00010000${'00'.repeat(65_537)}`,
    `83${'6c00000001'.repeat(100)}6a${'6a'.repeat(100)}`,
  ];
  for (const hex of refused)
    t.equal(decodeTerm(Buffer.from(hex, 'hex')), undefined, hex.slice(0, 40));
  t.end();
});

t.test('no bytes can make the reader throw', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      decodeTerm(Buffer.concat([Buffer.from([131]), bytes]));
    }),
    { numRuns: 2000 },
  );
  t.end();
});
