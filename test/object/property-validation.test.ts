/** Setting bucket properties: what Riak KV takes, and the words in which it refuses. */

import fc from 'fast-check';
import t from 'tap';
import {
  CREATED_TYPE_PROPERTIES,
  DEFAULT_TYPE_PROPERTIES,
  effectiveProperties,
  resolveQuorum,
} from '../../src/object/bucket-properties.ts';
import type { BucketProperties } from '../../src/object/bucket-properties.ts';
import { validateProperties } from '../../src/object/property-validation.ts';
import type { ValidationContext } from '../../src/object/property-validation.ts';

const UNTYPED = DEFAULT_TYPE_PROPERTIES;
const TYPED = CREATED_TYPE_PROPERTIES;
const MAPS: BucketProperties = { ...TYPED, datatype: 'map' };
const HLLS: BucketProperties = { ...TYPED, datatype: 'hll', hll_precision: 12 };
const WRITE_ONCE: BucketProperties = { ...TYPED, write_once: true };
const CONSISTENT: BucketProperties = { ...TYPED, consistent: true };

type Level = ValidationContext['level'];
type Changes = Readonly<Record<string, unknown>>;

function outcomeOf(level: Level, existing: BucketProperties, changes: Changes) {
  return validateProperties(changes, { level, existing, ringSize: 64 });
}

const LWW_WITH_DVV = 'If last_write_wins is true, dvv_enabled must be false';
const NEEDS_ALLOW_MULT = 'Data Type buckets must be allow_mult=true';
const NOT_DEFINED = '`datatype` must not be defined.';
const NOT_WRITE_ONCE = 'Cannot set existing bucket type to `write_once`';
const STAYS_WRITE_ONCE = 'Cannot modify write_once property once set to true';
const NOT_CONSISTENT = 'Write once buckets must not be consistent=true';

function precisionReason(precision: number): string {
  return (
    `${precision} not supported for Hyperloglog precision property for bucket type. Precision must ` +
    'be an integer between 4 and 16, inclusive (3 < p < 17) and precision can be reduced but never ' +
    'increased after initial setting'
  );
}

const REFUSED: readonly (readonly [Level, BucketProperties, Changes, Record<string, string>])[] = [
  ['bucket', UNTYPED, { n_val: 0 }, { n_val: 'not_integer' }],
  ['bucket', UNTYPED, { n_val: 'three' }, { n_val: 'not_integer' }],
  ['bucket', UNTYPED, { n_val: 2.5 }, { n_val: 'not_integer' }],
  ['bucket', UNTYPED, { n_val: 65 }, { n_val: 'n_val 65 is above the ring size 64' }],
  ['bucket', UNTYPED, { allow_mult: 'maybe' }, { allow_mult: 'not_boolean' }],
  ['bucket', UNTYPED, { notfound_ok: 1.5 }, { notfound_ok: 'not_boolean' }],
  ['bucket', UNTYPED, { r: 'most' }, { r: 'not_valid_quorum' }],
  ['bucket', UNTYPED, { w: -1 }, { w: 'not_valid_quorum' }],
  ['bucket', UNTYPED, { rw: 0 }, { rw: 'not_valid_quorum' }],
  ['bucket', UNTYPED, { pr: 4_294_967_296 }, { pr: 'not_valid_quorum' }],
  ['bucket', UNTYPED, { node_confirms: -1 }, { node_confirms: 'not_valid_quorum' }],
  ['bucket', UNTYPED, { sync_on_write: 'never' }, { sync_on_write: 'not_valid_sync_param' }],
  ['bucket', UNTYPED, { old_vclock: 0 }, { old_vclock: 'not_integer' }],
  ['bucket', UNTYPED, { young_vclock: 'x' }, { young_vclock: 'not_integer' }],
  ['bucket', UNTYPED, { big_vclock: 2 ** 32 }, { big_vclock: 'not_integer' }],
  [
    'bucket',
    UNTYPED,
    { precommit: { mod: 'm', fun: 'f' } },
    { precommit: 'not a list of {"mod","fun"} or {"name"} objects' },
  ],
  [
    'bucket',
    UNTYPED,
    { chash_keyfun: { mod: 'm', fun: 'f' } },
    {
      chash_keyfun: 'not riak_core_util:chash_std_keyfun or riak_core_util:chash_bucketonly_keyfun',
    },
  ],
  ['typed-bucket', TYPED, { last_write_wins: true }, { dvv_enabled: LWW_WITH_DVV }],
  [
    'typed-bucket',
    { ...TYPED, last_write_wins: true, dvv_enabled: false },
    { dvv_enabled: true },
    { dvv_enabled: LWW_WITH_DVV },
  ],
  ['bucket', UNTYPED, { write_once: true }, { write_once: 'cannot update write_once property' }],
  ['typed-bucket', TYPED, { claimant: 'n' }, { claimant: 'Cannot update claimant property' }],
  ['type-update', TYPED, { active: false }, { active: 'Cannot modify active property' }],
  ['typed-bucket', TYPED, { write_once: true }, { write_once: NOT_WRITE_ONCE }],
  ['typed-bucket', TYPED, { consistent: true }, { consistent: NOT_CONSISTENT }],
  ['typed-bucket', TYPED, { datatype: 'set' }, { datatype: NOT_DEFINED }],
  ['typed-bucket', MAPS, { write_once: true }, { write_once: 'cannot update write_once property' }],
  ['typed-bucket', WRITE_ONCE, { write_once: false }, { write_once: STAYS_WRITE_ONCE }],
  ['typed-bucket', WRITE_ONCE, { consistent: true }, { consistent: NOT_CONSISTENT }],
  [
    'typed-bucket',
    WRITE_ONCE,
    { datatype: 'set' },
    { datatype: 'Write once buckets must not have datatype defined' },
  ],
  ['bucket', UNTYPED, { consistent: true }, { consistent: 'cannot update consistent property' }],
  [
    'typed-bucket',
    CONSISTENT,
    { n_val: 5 },
    { n_val: 'n_val cannot be modified for existing consistent type' },
  ],
  [
    'typed-bucket',
    MAPS,
    { datatype: 'set' },
    { datatype: 'set not supported for bucket datatype property' },
  ],
  ['typed-bucket', MAPS, { allow_mult: false }, { allow_mult: NEEDS_ALLOW_MULT }],
  ['typed-bucket', MAPS, { allow_mult: 'perhaps' }, { allow_mult: NEEDS_ALLOW_MULT }],
  ['typed-bucket', HLLS, { hll_precision: 13 }, { hll_precision: precisionReason(13) }],
  ['type-update', HLLS, { hll_precision: 3 }, { hll_precision: precisionReason(3) }],
  ['type-update', TYPED, { n_val: 'x' }, { n_val: 'not_integer' }],
  ['type-update', TYPED, { datatype: 'set' }, { datatype: NOT_DEFINED }],
  [
    'type-update',
    MAPS,
    { datatype: 'set' },
    { datatype: 'set not supported for bucket datatype property' },
  ],
  ['type-update', MAPS, { allow_mult: false }, { allow_mult: NEEDS_ALLOW_MULT }],
  ['type-update', WRITE_ONCE, { write_once: false }, { write_once: STAYS_WRITE_ONCE }],
  ['type-update', TYPED, { write_once: true }, { write_once: NOT_WRITE_ONCE }],
  ['type-update', TYPED, { consistent: true }, { consistent: NOT_CONSISTENT }],
  [
    'type-create',
    TYPED,
    { datatype: 'bag' },
    { datatype: 'bag not supported for bucket datatype property' },
  ],
  ['type-create', TYPED, { datatype: 'map', allow_mult: false }, { allow_mult: NEEDS_ALLOW_MULT }],
  [
    'type-create',
    TYPED,
    { write_once: true, datatype: 'set' },
    { write_once: 'Write once buckets must not have datatype defined' },
  ],
  [
    'type-create',
    TYPED,
    { consistent: true },
    { consistent: 'strong consistency is not offered by this store' },
  ],
  ['type-create', TYPED, { last_write_wins: true }, { dvv_enabled: LWW_WITH_DVV }],
  [
    'type-create',
    TYPED,
    { datatype: 'hll', hll_precision: 20 },
    { hll_precision: precisionReason(20) },
  ],
  [
    'bucket',
    UNTYPED,
    { n_val: 0, allow_mult: 'x', r: 1, search_index: 'i' },
    { n_val: 'not_integer', allow_mult: 'not_boolean' },
  ],
];

for (const [level, existing, changes, reasons] of REFUSED) {
  t.test(`${level} refuses ${JSON.stringify(changes)}: ${JSON.stringify(reasons)}`, (t) => {
    const outcome = outcomeOf(level, existing, changes);
    t.match(outcome, { kind: 'invalid' });
    const refusals = outcome.kind === 'invalid' ? outcome.refusals : [];
    t.same(Object.fromEntries(refusals.map(({ property, reason }) => [property, reason])), reasons);
    t.end();
  });
}

t.test('a write-once type that would be consistent is refused for both', (t) => {
  const outcome = outcomeOf('type-create', TYPED, { write_once: true, consistent: true });
  t.match(outcome, {
    refusals: [{ property: 'consistent', reason: /not offered/ }],
  });
  t.end();
});

t.test('refusals come in Riak’s order', (t) => {
  const orderOf = (
    level: Level,
    existing: BucketProperties,
    changes: Changes,
  ): readonly string[] => {
    const outcome = outcomeOf(level, existing, changes);
    return outcome.kind === 'invalid' ? outcome.refusals.map(({ property }) => property) : [];
  };
  const wrong = { n_val: 0, allow_mult: 'x', r: 0 };
  t.same(orderOf('bucket', UNTYPED, wrong), ['r', 'allow_mult', 'n_val']);
  const plain = {
    write_once: true,
    datatype: 'set',
    consistent: true,
    r: 0,
    last_write_wins: true,
  };
  const names = ['dvv_enabled', 'r', 'write_once', 'consistent', 'datatype'];
  t.same(orderOf('type-update', TYPED, plain), names);
  const datatyped = { allow_mult: false, datatype: 'set', write_once: true };
  t.same(orderOf('typed-bucket', MAPS, datatyped), ['write_once', 'allow_mult', 'datatype']);
  const sketched = { hll_precision: 17, r: 0, allow_mult: false };
  t.same(orderOf('typed-bucket', HLLS, sketched), ['r', 'hll_precision', 'allow_mult']);
  t.end();
});

const TAKEN: readonly (readonly [Level, BucketProperties, Changes, Changes?])[] = [
  ['bucket', UNTYPED, { n_val: 5, allow_mult: true, r: 'all', w: 2 }],
  ['bucket', UNTYPED, { n_val: 2, r: 3 }],
  ['bucket', UNTYPED, { pr: 1, r: 2, w: 3, pw: 0, dw: 0, rw: 'one' }],
  [
    'bucket',
    UNTYPED,
    { allow_mult: 'True', basic_quorum: 'false', notfound_ok: 0, last_write_wins: 2 },
    { allow_mult: true, basic_quorum: false, notfound_ok: false, last_write_wins: true },
  ],
  ['bucket', UNTYPED, { old_vclock: 1000, young_vclock: 0, big_vclock: 100, small_vclock: 5 }],
  ['bucket', UNTYPED, { precommit: [{ mod: 'm', fun: 'f' }], postcommit: [{ name: 'Some.js' }] }],
  ['bucket', UNTYPED, { precommit: [], postcommit: [] }],
  [
    'bucket',
    UNTYPED,
    { linkfun: { jsanon: 'source' }, sync_on_write: 'all', node_confirms: 'all' },
  ],
  [
    'bucket',
    UNTYPED,
    { repl: 'realtime', search_index: 'i', backend: 'b', mine: { a: [1, null] } },
  ],
  ['bucket', UNTYPED, { name: 'b', active: true, claimant: 'n', r: 1 }, { r: 1 }],
  ['bucket', UNTYPED, { write_once: false, consistent: false, last_write_wins: true }],
  ['bucket', UNTYPED, { datatype: 'counter' }],
  ['bucket', { ...UNTYPED, datatype: 'set' }, { datatype: 'map', allow_mult: false }],
  ['bucket', UNTYPED, { hll_precision: 99 }],
  ['typed-bucket', MAPS, { datatype: 'map', allow_mult: true }],
  ['typed-bucket', MAPS, { active: true, name: 'b', r: 1 }, { r: 1 }],
  ['typed-bucket', HLLS, { hll_precision: 11 }],
  ['typed-bucket', MAPS, { hll_precision: 99, r: 1 }, { r: 1 }],
  ['type-update', MAPS, { hll_precision: 11 }, {}],
  ['typed-bucket', TYPED, { hll_precision: 99 }],
  ['type-create', TYPED, { datatype: 'set', hll_precision: 11 }, { datatype: 'set' }],
  ['bucket', UNTYPED, { chash_keyfun: { mod: 'riak_core_util', fun: 'chash_bucketonly_keyfun' } }],
  ['type-update', TYPED, { allow_mult: true }],
  ['type-update', WRITE_ONCE, { write_once: true, w: 1 }],
  ['type-create', TYPED, { allow_mult: false, last_write_wins: true, dvv_enabled: false }],
  ['type-create', TYPED, { datatype: 'hll' }, { datatype: 'hll', hll_precision: 14 }],
  ['type-create', TYPED, { datatype: 'hll', hll_precision: 16 }],
  ['type-create', TYPED, { write_once: true }],
  ['type-create', TYPED, {}],
];

for (const [level, existing, changes, kept] of TAKEN) {
  t.test(`${level} takes ${JSON.stringify(changes)}`, (t) => {
    t.same(outcomeOf(level, existing, changes), { kind: 'valid', changes: kept ?? changes });
    t.end();
  });
}

t.test('what was read can be written back', (t) => {
  t.match(outcomeOf('bucket', UNTYPED, { ...UNTYPED, name: 'b' }), { kind: 'valid' });
  for (const existing of [TYPED, MAPS, HLLS, WRITE_ONCE]) {
    for (const level of ['typed-bucket', 'type-update'] as const) {
      t.match(outcomeOf(level, existing, { ...existing, name: 'b' }), { kind: 'valid' });
    }
  }
  t.end();
});

t.test('names and values without bounds are refused', (t) => {
  const deep = JSON.parse('{"__proto__": {"n_val": 1}}') as Changes;
  const long = 'x'.repeat(20_000);
  const keyFunction = { mod: 'riak_core_util', fun: 'chash_std_keyfun' };
  const refused: readonly Changes[] = [
    { big: long },
    { ['n'.repeat(300)]: 1 },
    deep,
    { precommit: Array.from({ length: 2_000 }, () => ({ mod: 'm', fun: 'f' })) },
    { postcommit: [{ name: long }] },
    { chash_keyfun: { ...keyFunction, more: long } },
  ];
  for (const changes of refused) {
    t.match(outcomeOf('bucket', UNTYPED, changes), { kind: 'invalid' });
  }
  t.end();
});

t.test(
  'any JSON is taken or refused, and what is taken keeps the known properties well formed',
  (t) => {
    const names = fc.constantFrom(...Object.keys(UNTYPED), 'datatype', 'consistent', 'other');
    fc.assert(
      fc.property(fc.dictionary(names, fc.jsonValue()), (changes) => {
        const outcome = outcomeOf('bucket', UNTYPED, changes);
        if (outcome.kind === 'invalid') return outcome.refusals.length > 0;
        const after = effectiveProperties(UNTYPED, outcome.changes);
        return (
          Number.isInteger(after.n_val) &&
          typeof after.allow_mult === 'boolean' &&
          typeof after.notfound_ok === 'boolean' &&
          Array.isArray(after.precommit) &&
          Number.isInteger(resolveQuorum(after.w, after.n_val))
        );
      }),
    );
    t.end();
  },
);

t.test('a bucket has its own properties over its type’s over the defaults', (t) => {
  const properties = effectiveProperties(TYPED, { n_val: 5, r: 1 }, { r: 2 }, undefined);
  t.match(properties, { n_val: 5, r: 2, w: 'quorum', allow_mult: true });
  t.equal(TYPED.n_val, 3, 'the layers stay as they are');
  t.end();
});

t.test('quorum words are read against n', (t) => {
  const words = ['one', 'quorum', 'all', 2] as const;
  t.same(
    words.map((word) => resolveQuorum(word, 3)),
    [1, 2, 3, 2],
  );
  t.same(
    [1, 2, 4, 5].map((n) => resolveQuorum('quorum', n)),
    [1, 2, 3, 3],
  );
  t.end();
});
