/** Terms as Erlang prints them: cut where they are long, and never printed beyond the cut. */

import t from 'tap';
import { printTerm } from '../../src/mapreduce/term-print.ts';
import { atom, tuple } from '../../src/mapreduce/term.ts';
import type { Term } from '../../src/mapreduce/term.ts';

t.test('a term is printed as Erlang prints it', (t) => {
  const pairs = [[atom('a'), 1n] as const, [Buffer.from('b'), 2.5] as const];
  t.equal(printTerm(tuple(atom('x'), [1n, 1])), '{x,[1,1.0]}');
  t.equal(printTerm({ kind: 'map', pairs }), '#{a => 1,<<"b">> => 2.5}');
  t.equal(printTerm(Array.from({ length: 65 }, () => 7n)), `[${'7,'.repeat(64)}...]`);
  t.end();
});

t.test('what is cut off a long term is not printed first', (t) => {
  // Of sixteen million binaries, which would not fit into memory as text.
  let term: Term = Buffer.from('y'.repeat(1_000));
  for (let level = 0; level < 4; level += 1) {
    const inner: Term = term;
    term = Array.from({ length: 64 }, (): Term => inner);
  }
  t.equal(printTerm(term), `[[[[<<"${'y'.repeat(993)}...`);
  t.end();
});
