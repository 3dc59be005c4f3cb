/** Data types converge: whatever the order and repetition of merges, all replicas end equal. */

import fc from 'fast-check';
import t from 'tap';
import { decodeState, encodeState } from '../../src/datatype/encoding.ts';
import type { DatatypeName } from '../../src/datatype/operation.ts';
import { at, mustJoin, run, steps } from './replicas.ts';

const NAMES: readonly DatatypeName[] = ['counter', 'set', 'gset', 'hll', 'map'];

for (const name of NAMES) {
  t.test(`${name}: a merge is commutative, associative and idempotent`, (t) => {
    fc.assert(
      fc.property(steps(name), (sequence) => {
        const states = run(name, sequence);
        const [a, b, c] = [at(states, 0), at(states, 1), at(states, 2)];
        const ab = mustJoin(a, b);
        const left = encodeState(mustJoin(ab, c));
        t.ok(left.equals(encodeState(mustJoin(a, mustJoin(b, c)))), 'associative');
        t.ok(encodeState(ab).equals(encodeState(mustJoin(b, a))), 'commutative');
        t.ok(encodeState(mustJoin(ab, ab)).equals(encodeState(ab)), 'idempotent');
        t.ok(encodeState(mustJoin(ab, b)).equals(encodeState(ab)), 'absorbs what it has');
      }),
      { numRuns: 300 },
    );
    t.end();
  });

  t.test(`${name}: a state comes back from its bytes`, (t) => {
    fc.assert(
      fc.property(steps(name), (sequence) => {
        for (const state of run(name, sequence)) {
          const decoded = decodeState(encodeState(state));
          t.same(decoded, state);
        }
      }),
      { numRuns: 100 },
    );
    t.end();
  });

  t.test(`${name}: damaged bytes are no state, or another sound one, and never throw`, (t) => {
    fc.assert(
      fc.property(steps(name), fc.nat(), fc.nat({ max: 255 }), (sequence, position, byte) => {
        const bytes = encodeState(at(run(name, sequence), 0));
        bytes[position % bytes.length] = byte;
        const decoded = decodeState(bytes);
        if (decoded !== undefined) encodeState(decoded);
        decodeState(bytes.subarray(0, position % bytes.length));
        t.pass();
      }),
      { numRuns: 300 },
    );
    t.end();
  });
}
