/** Data types converge: whatever the order and repetition of merges, all replicas end equal. */

import assert from 'node:assert';
import fc from 'fast-check';
import t from 'tap';
import { encodeState } from '../../src/datatype/encoding.ts';
import type { DatatypeName } from '../../src/datatype/operation.ts';
import type { DatatypeState } from '../../src/datatype/state.ts';
import { packedToPlain } from './model/plain.ts';
import { at, decode, mustJoin, run, steps } from './replicas.ts';

const NAMES: readonly DatatypeName[] = ['counter', 'set', 'gset', 'hll', 'map'];

for (const name of NAMES) {
  t.test(`${name}: a merge is commutative, associative and idempotent`, (t) => {
    const same = (left: DatatypeState, right: DatatypeState, law: string): void => {
      assert.deepStrictEqual(packedToPlain(left), packedToPlain(right), law);
    };
    fc.assert(
      fc.property(steps(name), (sequence) => {
        const states = run(name, sequence);
        const [a, b, c] = [at(states, 0), at(states, 1), at(states, 2)];
        const ab = mustJoin(a, b);
        same(mustJoin(ab, c), mustJoin(a, mustJoin(b, c)), 'associative');
        same(ab, mustJoin(b, a), 'commutative');
        same(mustJoin(ab, ab), ab, 'idempotent');
        same(mustJoin(ab, b), ab, 'absorbs what it has');
      }),
      { numRuns: 300 },
    );
    t.end();
  });

  t.test(`${name}: a state comes back from its bytes`, (t) => {
    fc.assert(
      fc.property(steps(name), (sequence) => {
        for (const state of run(name, sequence)) {
          const bytes = encodeState(state);
          const decoded = decode(bytes);
          assert.deepStrictEqual(decoded, state);
          assert.deepStrictEqual(decoded && encodeState(decoded), bytes);
        }
      }),
      { numRuns: 100 },
    );
    t.end();
  });

  t.test(`${name}: damaged bytes are no state, or another sound one, and never throw`, (t) => {
    fc.assert(
      fc.property(steps(name), fc.nat(), fc.nat({ max: 255 }), (sequence, position, byte) => {
        const states = run(name, sequence);
        const bytes = Buffer.from(encodeState(at(states, 0)));
        bytes[position % bytes.length] = byte;
        const decoded = decode(bytes);
        if (decoded !== undefined) {
          const joined = mustJoinIfAlike(decoded, at(states, 1));
          assert(decode(encodeState(joined)), 'what comes of a sound state is sound');
        }
        decode(bytes.subarray(0, position % bytes.length));
      }),
      { numRuns: 500 },
    );
    t.end();
  });
}

/** A changed byte may have made it another type. */
function mustJoinIfAlike(left: DatatypeState, right: DatatypeState): DatatypeState {
  const isAlike =
    left.kind === 'causal' && right.kind === 'causal'
      ? left.store.kind === right.store.kind
      : left.kind === right.kind;
  return isAlike ? mustJoin(left, right) : left;
}
