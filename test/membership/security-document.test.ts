/**
 * Security in the state document: exact on the way back, absent where there is none, and hard on
 * strangers.
 */

import fc from 'fast-check';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { isFault } from '../../src/base/fault.ts';
import { decodeState, encodeState } from '../../src/membership/state-document.ts';
import { NO_SECURITY, type SecurityState } from '../../src/security/security-state.ts';
import { anySecurity } from '../security/arbitrary-security.ts';
import { stateOf } from './states.ts';

const PLAIN = stateOf(1);
const DEEP = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
const HASH = ['0f'.repeat(16), 'a1'.repeat(20)];

/** Of a state that has it, as others would read it. */
function throughDocument(security: SecurityState): SecurityState {
  return decodeState(Buffer.from(encodeState({ ...PLAIN, security }))).security;
}

function decodes(security: unknown): boolean {
  const json = JSON.parse(encodeState(PLAIN).toString()) as Record<string, unknown>;
  try {
    const text = JSON.stringify({ ...json, security }).replaceAll('"@deep"', DEEP);
    decodeState(Buffer.from(text));
    return true;
  } catch (error) {
    if (isFault(error, 'malformed')) return false;
    throw error;
  }
}

t.test('security comes back as it was', (t) => {
  fc.assert(
    fc.property(anySecurity, (security) => {
      const copy = throughDocument(security);
      t.same(copy, security);
      t.same([...copy.users.keys()], [...security.users.keys()]);
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test('roles that came in another order encode alike', (t) => {
  fc.assert(
    fc.property(anySecurity, (security) => {
      const reversed: SecurityState = {
        ...security,
        users: new Map([...security.users].reverse()),
        groups: new Map([...security.groups].reverse()),
      };
      const [one, other] = [security, reversed].map((each) =>
        encodeState({ ...PLAIN, security: each }).toString(),
      );
      return one === other;
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test(
  'security that stays is the same value in the next document, and another where it changes',
  (t) => {
    fc.assert(
      fc.property(fc.array(anySecurity, { minLength: 2, maxLength: 3 }), (each) => {
        const read = (memberCount: number, security: SecurityState): SecurityState =>
          decodeState(Buffer.from(encodeState({ ...stateOf(memberCount), security }))).security;
        for (const security of each) {
          const first = read(1, security);
          t.same(first, security);
          t.equal(read(2, security), first);
        }
      }),
      { numRuns: 50 },
    );
    t.end();
  },
);

t.test('a document that is refused leaves nothing behind that the next one is taken for', (t) => {
  const withGroup = (name: string): SecurityState => ({
    ...NO_SECURITY,
    groups: new Map([[name as ByteString, { groups: [], options: new Map() }]]),
  });
  const [held, other] = [withGroup('g1'), withGroup('g2')];
  const bytes = encodeState({ ...PLAIN, security: other }).toString();
  const json = JSON.parse(encodeState({ ...PLAIN, security: held }).toString()) as object;
  // Behind its own security it has something that ends as the next document does.
  const tail = bytes.slice(bytes.lastIndexOf(',"security":'));
  const odd = `${JSON.stringify(json).slice(0, -1)},"x":{"y":1${tail}}`;
  t.throws(() => decodeState(Buffer.from(odd)), { code: 'malformed' });
  t.same(decodeState(Buffer.from(bytes)).security, other);
  t.end();
});

t.test('a document of before there was security is read, and written as it was', (t) => {
  const bytes = encodeState(PLAIN);
  t.notMatch(bytes.toString(), 'security');
  t.equal(decodeState(Buffer.from(bytes)).security, NO_SECURITY);
  const emptied = encodeState({ ...PLAIN, security: { ...NO_SECURITY, users: new Map() } });
  t.ok(emptied.equals(bytes), 'what was deleted leaves nothing behind');
  t.end();
});

t.test('what cannot have been agreed is refused', (t) => {
  const user = ['ann', ['g'], HASH, [['age', '4']]];
  const group = ['g', [], []];
  const sound = {
    isEnabled: true,
    users: [user],
    groups: [group],
    sources: [['ann', '10.0.0.0/8', 'password', []]],
    grants: [['ann', 't', 'b', ['riak_kv.get', 'riak_kv.put']]],
  };
  t.ok(decodes(sound));
  const many = (count: number): string[] =>
    Array.from({ length: count }, (_, index) => `n${String(index).padStart(6, '0')}`);
  const wrong: Record<string, unknown[]> = {
    isEnabled: [undefined, null, 1, 'true'],
    users: [
      undefined,
      {},
      [user, user],
      [['zoe', [], null, []], user],
      [['all', [], null, []], user],
      [['a b', [], null, []], user],
      [['', [], null, []], user],
      [['Ã', [], null, []], user],
      [['a'.repeat(257), [], null, []], user],
      [['ann', ['h'], null, []]],
      [['ann', ['g', 'g'], null, []]],
      [['ann', [], 1, []]],
      [['ann', [], ['0f', 'a1'], []]],
      [['ann', [], [HASH[0], HASH[1]?.toUpperCase()], []]],
      [['ann', [], [...HASH, 1], []]],
      [
        [
          'ann',
          [],
          null,
          [
            ['b', '1'],
            ['a', '1'],
          ],
        ],
      ],
      [['ann', [], null, [['a', 1]]]],
      [['ann', [], null, [['a', 'x'.repeat(257)]]]],
      [['ann', [], null, many(17).map((name) => [name, ''])]],
      [['ann', [], null, [], 1]],
      [['ann']],
      [user, ['g', [], null, []]],
      [user, ...many(10_000).map((name) => [name, [], null, []])],
    ],
    groups: [
      [],
      [['g', ['h'], []]],
      [['g', many(65), []]],
      [group, ...many(1_000).map((n) => [n, [], []])],
    ],
    sources: [
      [['bob', '10.0.0.0/8', 'trust', []]],
      [['g', '10.0.0.0/8', 'trust', []]],
      [['ann', '10.0.0.1/8', 'trust', []]],
      [['ann', '10.0.0.0', 'trust', []]],
      [['ann', 8, 'trust', []]],
      [['ann', '10.0.0.0/8', 'pam', []]],
      [['ann', '10.0.0.0/8', 'trust', [], 1]],
      [
        ['ann', '10.0.0.0/8', 'trust', []],
        ['ann', '10.0.0.0/8', 'trust', []],
      ],
      [
        ['ann', '10.0.0.0/8', 'trust', []],
        ['all', '10.0.0.0/8', 'trust', []],
      ]
        .toReversed()
        .reverse(),
    ],
    grants: [
      [['bob', 't', 'b', ['riak_kv.get']]],
      [['ann', null, 'b', ['riak_kv.get']]],
      [['ann', 't', 'ũ', ['riak_kv.get']]],
      [['ann', 't', 'b', []]],
      [['ann', 't', 'b', ['riak_kv.put', 'riak_kv.get']]],
      [['ann', 't', 'b', ['riak_kv.get', 'riak_kv.get']]],
      [['ann', 't', 'b', ['riak_kv.fly']]],
      [['ann', 't', 'b', 'riak_kv.get']],
      [
        ['ann', 't', 'b', ['riak_kv.get']],
        ['ann', 't', 'b', ['riak_kv.put']],
      ],
    ],
    extra: [1],
  };
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) {
      const text = JSON.stringify(value)?.slice(0, 80);
      t.notOk(decodes({ ...sound, [field]: value }), `${field} ${text}`);
    }
  }
  for (const value of [null, 1, [], {}, 'off']) t.notOk(decodes(value));
  t.notOk(decodes({ isEnabled: false, users: [], groups: [], sources: [], grants: [] }));
  t.end();
});

t.test('any JSON in its place is security or malformed', (t) => {
  fc.assert(fc.property(fc.jsonValue(), (json) => !decodes(json)));
  for (const field of ['users', 'grants', 'sources']) {
    const rest = { isEnabled: true, users: [], groups: [], sources: [], grants: [] };
    t.notOk(decodes({ ...rest, [field]: '@deep' }));
    t.notOk(decodes({ ...rest, [field]: [['ann', '@deep', '@deep', '@deep']] }));
  }
  t.end();
});
