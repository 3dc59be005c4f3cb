/** Packed states hold what plain ones do, after any steps, and however large they are. */

import assert from 'node:assert';
import fc from 'fast-check';
import t from 'tap';
import { editEntries, findEntries } from '../../src/datatype/collection.ts';
import { sortNames } from '../../src/datatype/sorted-names.ts';
import { emptyStore, fieldKey, fieldKeyToField } from '../../src/datatype/packed.ts';
import { runAtOnce, type Sliced } from '../../src/base/sliced.ts';
import type { FieldOperation } from '../../src/datatype/operation.ts';
import { emptyState, type CausalName, type DatatypeState } from '../../src/datatype/state.ts';
import { decodeState, encodeState } from '../../src/datatype/encoding.ts';
import * as model from './model/apply.ts';
import { modelToPlain, packedToPlain } from './model/plain.ts';
import { emptyState as emptyModel, joinStates as joinModels } from './model/state.ts';
import {
  REPLICA_COUNT,
  actorOf,
  apply,
  at,
  bs,
  clientContext,
  decode,
  mustJoin,
  steps,
  valueNow,
} from './replicas.ts';

for (const name of ['counter', 'set', 'map'] as const satisfies readonly CausalName[]) {
  t.test(`${name}: packed and plain hold the same after the same steps`, (t) => {
    fc.assert(
      fc.property(steps(name), (sequence) => {
        const packed = Array.from({ length: REPLICA_COUNT }, () => emptyState(name, 14));
        const plain = Array.from({ length: REPLICA_COUNT }, () => emptyModel(name));
        let counter = 0;
        for (const step of sequence) {
          if (step.kind === 'merge') {
            packed[step.target] = mustJoin(at(packed, step.target), at(packed, step.source));
            plain[step.target] = joinModels(at(plain, step.target), at(plain, step.source));
          } else {
            counter += 1;
            const application = {
              dot: { actor: actorOf(step.replica), counter },
              context: clientContext(packed, step.contextOf),
              nowMicros: 1_000 + counter,
            };
            const operation = step.operation as FieldOperation;
            const outcome = apply(at(packed, step.replica), step.operation, application);
            const expected = model.applyOperation(at(plain, step.replica), operation, application);
            assert.strictEqual(outcome.kind, expected.kind);
            if (outcome.kind === 'applied') packed[step.replica] = outcome.state;
            else assert.deepStrictEqual(outcome, expected);
            if (expected.kind === 'applied') plain[step.replica] = expected.state;
          }
        }
        assert.deepStrictEqual(packed.map(packedToPlain), plain.map(modelToPlain));
      }),
      { numRuns: 500 },
    );
    t.end();
  });
}

const anyName = fc.string({ maxLength: 3, unit: fc.constantFrom('a', 'b', '\u0000', 'ÿ') }).map(bs);

t.test('edits of a collection come to what they would in a map', (t) => {
  const anyEdits = fc.array(fc.tuple(anyName, fc.boolean()), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(anyEdits, { maxLength: 5 }), (rounds) => {
      const expected = new Set<string>();
      let bytes = emptyStore('gset');
      for (const round of rounds) {
        const isIn = new Map(round);
        const names = runAtOnce(sortNames(round.map(([name]) => name)));
        const edits = names.map((name) => {
          return { name, rest: isIn.get(name) === true ? Buffer.alloc(0) : undefined };
        });
        bytes = runAtOnce(editEntries('gset', bytes, edits));
        for (const [name, isAdded] of isIn) expected[isAdded ? 'add' : 'delete'](name);
        const found = runAtOnce(findEntries('gset', bytes, names));
        assert.deepStrictEqual(
          [...found.keys()],
          names.filter((name) => expected.has(name)),
        );
      }
      assert.deepStrictEqual(
        packedToPlain({ kind: 'gset', elements: bytes }),
        [...expected].sort(),
      );
    }),
  );
  t.end();
});

t.test('names are sorted bytewise, each once, in however many slices', (t) => {
  fc.assert(
    fc.property(fc.array(anyName), fc.nat({ max: 30_000 }), (names, count) => {
      const many = [
        ...names,
        ...Array.from({ length: count }, (_, index) => bs(`${index % 9_000}`)),
      ];
      assert.deepStrictEqual(runAtOnce(sortNames(many)), [...new Set(many)].sort());
    }),
    { numRuns: 20 },
  );
  t.end();
});

t.test('a field key says its name and kind', (t) => {
  for (const kind of ['counter', 'register', 'map', 'flag', 'set'] as const) {
    t.same(fieldKeyToField(fieldKey(bs('a\u0000b'), kind)), { name: 'a\u0000b', kind });
  }
  t.end();
});

t.test('work on a large set comes in many slices, and to the same end', (t) => {
  const names = Array.from({ length: 60_000 }, (_, index) => bs(`element-${index}`));
  const application = { dot: { actor: actorOf(0), counter: 1 }, context: undefined, nowMicros: 1 };
  const outcome = apply(
    emptyState('set', 14),
    { kind: 'set', adds: names, removes: [] },
    application,
  );
  if (outcome.kind !== 'applied') return t.fail(outcome.kind);
  const bytes = encodeState(outcome.state);
  t.ok(countSlices(decodeState(bytes)) > 3);
  const decoded = decode(bytes) as DatatypeState;
  const value = valueNow(decoded);
  t.same(value.kind === 'set' && value.elements, [...names].sort());
  return t.end();
});

function countSlices<T>(work: Sliced<T>): number {
  let count = 1;
  while (work.next().done !== true) count += 1;
  return count;
}
