/** The state document: equal for equal states, exact on the way back, and hard on strangers. */

import fc from 'fast-check';
import t from 'tap';
import { isFault } from '../../src/base/fault.ts';
import type { Epoch } from '../../src/base/names.ts';
import type { ClusterState } from '../../src/membership/cluster-state.ts';
import { decodeState, encodeState, hashState } from '../../src/membership/state-document.ts';
import { anyState, nodeOf, stateOf } from './states.ts';

function decodes(bytes: Buffer): boolean {
  try {
    decodeState(bytes);
    return true;
  } catch (error) {
    if (isFault(error, 'malformed')) return false;
    throw error;
  }
}

/** The state of `seed` with one part of its document replaced. */
function withPart(part: string, value: unknown): Buffer {
  const json = JSON.parse(encodeState(stateOf(3)).toString()) as Record<string, unknown>;
  return Buffer.from(JSON.stringify({ ...json, [part]: value }));
}

t.test('a state comes back as it was', (t) => {
  fc.assert(
    fc.property(anyState, (state) => {
      const copy = decodeState(Buffer.from(encodeState(state)));
      t.same(copy.members, state.members);
      return encodeState(copy).equals(encodeState(state)) && copy.epoch === state.epoch;
    }),
  );
  t.end();
});

t.test('states whose maps and objects were filled in another order encode alike', (t) => {
  fc.assert(
    fc.property(anyState, (state) => {
      const reversed: ClusterState = {
        ...state,
        defaultProperties: Object.fromEntries(Object.entries(state.defaultProperties).reverse()),
        bucketTypes: new Map([...state.bucketTypes].reverse()),
        bucketProperties: new Map([...state.bucketProperties].reverse()),
      };
      return hashState(reversed).equals(hashState(state));
    }),
  );
  t.end();
});

t.test('different states have different hashes', (t) => {
  t.notOk(hashState(stateOf(3)).equals(hashState(stateOf(4))));
  t.equal(hashState(stateOf(3)).length, 32);
  t.end();
});

t.test('any bytes are a state or malformed', (t) => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => !decodes(Buffer.from(bytes))));
  fc.assert(fc.property(fc.json(), (json) => !decodes(Buffer.from(json))));
  t.end();
});

t.test('a flipped bit is either refused or another state', (t) => {
  const bytes = encodeState(stateOf(3));
  fc.assert(
    fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      if (!decodes(flipped)) return true;
      return !hashState(decodeState(flipped)).equals(hashState(stateOf(3)));
    }),
    { numRuns: 500 },
  );
  t.end();
});

/** A ring that `owner` has to itself. */
function ring(owner: number): number[] {
  return Array.from({ length: 16 }, () => owner);
}

t.test('staged changes and an open step come back as they were', (t) => {
  const [node, successor] = [nodeOf(0), nodeOf(2)];
  const state: ClusterState = {
    ...stateOf(3),
    staged: [
      { kind: 'join', node: successor },
      { kind: 'leave', node },
      { kind: 'force-remove', node },
      { kind: 'replace', node, successor },
      { kind: 'force-replace', node, successor },
      { kind: 'location', node, location: 'rack 7' },
    ],
    step: {
      since: 1 as Epoch,
      phase: 'filling',
      target: ring(2),
      unfilled: [nodeOf(1), successor],
    },
  };
  t.same(decodeState(Buffer.from(encodeState(state))), state);
  t.end();
});

t.test('a part of the wrong shape is refused', (t) => {
  t.ok(decodes(withPart('format', 2)));
  const members = JSON.parse(JSON.stringify(stateOf(2).members.map((m) => Object.values(m)))) as [
    unknown[],
    unknown[],
  ];
  const wrong: [string, unknown][] = [
    ['format', 1],
    ['ringSize', 15],
    ['ringSize', 32],
    ['epoch', 0],
    ['epoch', 2],
    ['ancestors', ['a'.repeat(64)]],
    ['ancestors', undefined],
    ['epoch', 1.5],
    ['clusterName', 'x'.repeat(2000)],
    ['members', []],
    ['members', members.toReversed()],
    ['members', [members[0], members[0], members[1]]],
    ['members', [[...members[0], 1]]],
    ['members', [[nodeOf(0), 'h', 70_000, 1, 1, '', 'valid']]],
    ['members', [[nodeOf(0), 'h', 1, 1, 1, '', 'asleep']]],
    ['ownerByPartition', Array.from({ length: 16 }, () => 3)],
    ['ownerByPartition', [0]],
    ['lineages', []],
    ['lineages', [['a'.repeat(32), 2]]],
    ['lineages', [['A'.repeat(32), 1]]],
    [
      'lineages',
      [
        ['a'.repeat(32), 1],
        ['b'.repeat(32), 1],
      ],
    ],
    ['staged', null],
    ['staged', [['leave', 'stranger']]],
    ['staged', [['leave', nodeOf(0), nodeOf(1)]]],
    ['staged', [['replace', nodeOf(0)]]],
    ['staged', [['depart', nodeOf(0)]]],
    ['step', [1, 'filling', ring(0), []]],
    ['step', [1, 'turning', ring(0), [nodeOf(0)]]],
    ['step', [1, 'resting', ring(0), [nodeOf(0)]]],
    ['step', [2, 'filling', ring(0), [nodeOf(0)]]],
    ['step', [1, 'filling', ring(3), [nodeOf(0)]]],
    ['step', [1, 'filling', ring(0), [nodeOf(1), nodeOf(0)]]],
    ['step', [1, 'filling', ring(0), ['stranger']]],
    ['defaultProperties', []],
    ['defaultProperties', null],
    ['defaultProperties', { b: 1, a: 1 }],
    ['bucketTypes', [['t', 1, {}]]],
    ['bucketTypes', [['ũ', true, {}]]],
    ['bucketTypes', [['t', true, {}, 1]]],
    ['bucketProperties', { a: 1 }],
    ['extra', 1],
  ];
  for (const [part, value] of wrong) {
    t.notOk(decodes(withPart(part, value)), `${part} ${JSON.stringify(value)?.slice(0, 60)}`);
  }
  t.end();
});

t.test('deep nesting is refused, not followed', (t) => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const text = encodeState(stateOf(1)).toString();
  t.notOk(decodes(Buffer.from(deep)));
  t.notOk(
    decodes(
      Buffer.from(text.replace('"defaultProperties":{}', `"defaultProperties":{"a":${deep}}`)),
    ),
  );
  t.end();
});
