/** Changes: one epoch each, over what was there, or the reason why not. */

import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { DEFAULT_BUCKET_TYPE } from '../../src/base/names.ts';
import { runAtOnce } from '../../src/base/sliced.ts';
import {
  activateBucketType,
  createBucketType,
  resetBucketProperties,
  setBucketProperties,
  setBucketTypeProperties,
  type ChangeOutcome,
  type PropertyCheck,
} from '../../src/membership/changes.ts';
import type { ClusterState } from '../../src/membership/cluster-state.ts';
import {
  effectiveBucketProperties,
  effectiveTypeProperties,
} from '../../src/membership/effective-properties.ts';
import { commitPlan } from '../../src/membership/plan.ts';
import { stageJoin, type Newcomer } from '../../src/membership/staging.ts';
import { decodeState, encodeState, mustBeReadable } from '../../src/membership/state-document.ts';
import { clusterOf, stateOf } from './states.ts';

const accept: PropertyCheck = (changes) => ({ kind: 'accepted', properties: changes });
const [MAPS, PATIENTS] = [utf8ToByteString('maps'), utf8ToByteString('patients')];
const PLAIN = { type: DEFAULT_BUCKET_TYPE, bucket: PATIENTS };

function changed(outcome: ChangeOutcome): ClusterState {
  if (outcome.kind !== 'changed') throw new Error(`not changed but ${outcome.kind}`);
  return decodeState(encodeState(outcome.state));
}

t.test('a bucket’s own properties stand over its type’s, and those over the defaults', (t) => {
  let state = stateOf(3);
  state = { ...state, defaultProperties: { n_val: 5 } };
  t.match(effectiveBucketProperties(state, DEFAULT_BUCKET_TYPE, PATIENTS), {
    n_val: 5,
    allow_mult: false,
  });
  state = changed(setBucketProperties(state, { ...PLAIN, changes: { allow_mult: true } }, accept));
  t.equal(state.epoch, 2);
  t.match(effectiveBucketProperties(state, DEFAULT_BUCKET_TYPE, PATIENTS), {
    n_val: 5,
    allow_mult: true,
  });
  t.match(effectiveBucketProperties(state, DEFAULT_BUCKET_TYPE, MAPS), { allow_mult: false });
  state = changed(resetBucketProperties(state, PLAIN));
  t.equal(state.epoch, 3);
  t.match(effectiveBucketProperties(state, DEFAULT_BUCKET_TYPE, PATIENTS), { allow_mult: false });
  t.end();
});

t.test('properties that a later change does not name stay', (t) => {
  let state = changed(setBucketProperties(stateOf(1), { ...PLAIN, changes: { n_val: 2 } }, accept));
  state = changed(setBucketProperties(state, { ...PLAIN, changes: { r: 1 } }, accept));
  t.match(effectiveBucketProperties(state, DEFAULT_BUCKET_TYPE, PATIENTS), { n_val: 2, r: 1 });
  t.end();
});

t.test('a type is unknown until it is active', (t) => {
  const created = changed(
    createBucketType(stateOf(3), { type: MAPS, properties: { datatype: 'map' } }, accept),
  );
  t.equal(effectiveTypeProperties(created, MAPS), undefined);
  t.equal(effectiveBucketProperties(created, MAPS, PATIENTS), undefined);
  const bucket = { type: MAPS, bucket: PATIENTS };
  t.equal(
    setBucketProperties(created, { ...bucket, changes: {} }, accept).kind,
    'unknown-bucket-type',
  );
  t.equal(resetBucketProperties(created, bucket).kind, 'unknown-bucket-type');
  t.equal(
    setBucketTypeProperties(created, { type: MAPS, changes: {} }, accept).kind,
    'unknown-bucket-type',
  );
  const active = changed(activateBucketType(created, MAPS));
  t.match(effectiveTypeProperties(active, MAPS), { datatype: 'map', allow_mult: true, n_val: 3 });
  t.equal(effectiveBucketProperties(active, MAPS, PATIENTS), effectiveTypeProperties(active, MAPS));
  const larger = changed(
    setBucketTypeProperties(active, { type: MAPS, changes: { n_val: 4 } }, accept),
  );
  t.match(effectiveBucketProperties(larger, MAPS, PATIENTS), { datatype: 'map', n_val: 4 });
  t.end();
});

t.test('a type that is not active may be made anew, an active one may not', (t) => {
  let state = changed(
    createBucketType(stateOf(1), { type: MAPS, properties: { n_val: 2 } }, accept),
  );
  state = changed(createBucketType(state, { type: MAPS, properties: { r: 1 } }, accept));
  state = changed(activateBucketType(state, MAPS));
  t.match(effectiveTypeProperties(state, MAPS), { n_val: 3, r: 1 });
  t.equal(createBucketType(state, { type: MAPS, properties: {} }, accept).kind, 'exists');
  t.equal(activateBucketType(state, MAPS).kind, 'unchanged');
  t.end();
});

t.test('the default type and the reserved names cannot be made or changed', (t) => {
  const state = stateOf(1);
  const create = (type: string) =>
    createBucketType(state, { type: utf8ToByteString(type), properties: {} }, accept).kind;
  t.equal(create('default'), 'no-default-update');
  t.equal(create('any'), 'refused');
  t.equal(create(''), 'refused');
  t.equal(
    setBucketTypeProperties(state, { type: DEFAULT_BUCKET_TYPE, changes: { n_val: 1 } }, accept)
      .kind,
    'no-default-update',
  );
  t.equal(activateBucketType(state, DEFAULT_BUCKET_TYPE).kind, 'unchanged');
  t.equal(activateBucketType(state, MAPS).kind, 'unknown-bucket-type');
  t.end();
});

t.test('asking for what is so already changes nothing', (t) => {
  const state = changed(
    setBucketProperties(stateOf(1), { ...PLAIN, changes: { n_val: 2 } }, accept),
  );
  t.equal(
    setBucketProperties(state, { ...PLAIN, changes: { n_val: 2 } }, accept).kind,
    'unchanged',
  );
  t.equal(resetBucketProperties(state, { ...PLAIN, bucket: MAPS }).kind, 'unchanged');
  t.end();
});

t.test('the check sees what was in effect, and its refusal is the outcome', (t) => {
  const state = { ...stateOf(1), defaultProperties: { n_val: 7 } };
  const refusals = [{ property: 'n_val', reason: 'not_integer' }];
  const outcome = setBucketProperties(state, { ...PLAIN, changes: { n_val: 2 } }, (_, before) => {
    t.equal(before.n_val, 7);
    return { kind: 'refused', refusals };
  });
  t.same(outcome, { kind: 'refused', refusals });
  t.end();
});

t.test('what a document cannot hold is refused', (t) => {
  const deep = JSON.parse(`${'['.repeat(20)}${']'.repeat(20)}`) as string[];
  t.match(setBucketProperties(stateOf(1), { ...PLAIN, changes: { deep } }, accept), {
    kind: 'refused',
    refusals: [{ property: 'deep' }],
  });
  const large = { note: 'x'.repeat(17 * 1024 * 1024) };
  t.match(setBucketProperties(stateOf(1), { ...PLAIN, changes: large }, accept), {
    kind: 'refused',
  });
  t.end();
});

t.test('a document full of properties leaves room for members and the ring', (t) => {
  let full = stateOf(1, 1024);
  const fill = (bytes: number) =>
    setBucketProperties(full, { ...PLAIN, changes: { note: 'x'.repeat(bytes) } }, accept);
  let bytes = 14 * 2 ** 20;
  for (let step = 2 ** 20; step >= 1_024; step /= 2) {
    if (fill(bytes + step).kind === 'changed') bytes += step;
  }
  full = changed(fill(bytes));
  for (let index = 1; index < 8; index += 1) {
    const newcomer = clusterOf(index + 1).members[index] as Newcomer;
    const joining = stageJoin(full, newcomer);
    if (joining.kind !== 'changed') throw new Error(joining.kind);
    full = joining.state;
  }
  const filling = runAtOnce(commitPlan(full, undefined));
  if (filling.kind !== 'changed') throw new Error(filling.kind);
  t.equal(filling.state.step?.unfilled.length, 7);
  t.doesNotThrow(() => mustBeReadable(filling.state));
  const overfull = { ...full, defaultProperties: { note: 'x'.repeat(2 ** 24) } };
  t.equal(resetBucketProperties(overfull, PLAIN).kind, 'changed', 'it can be made smaller');
  t.end();
});

t.test('effective properties are computed once for a state', (t) => {
  const state = changed(
    setBucketProperties(stateOf(1), { ...PLAIN, changes: { n_val: 2 } }, accept),
  );
  const first = effectiveBucketProperties(state, DEFAULT_BUCKET_TYPE, PATIENTS);
  t.equal(effectiveBucketProperties(state, DEFAULT_BUCKET_TYPE, PATIENTS), first);
  t.end();
});
