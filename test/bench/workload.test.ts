/**
 * Workload files: what is accepted, and what is said of mistakes.
 */

import t from 'tap';
import { SeededRandom } from '../../src/cli/demo/patient-records.ts';
import { findWorkload, workloadNames } from '../../bench/workload/find-workload.ts';
import { parseBashoConfig } from '../../bench/workload/basho-config.ts';
import { withOverrides } from '../../bench/workload/scaled.ts';
import { fillQuery } from '../../bench/workload/query-documents.ts';
import { parseWorkload } from '../../bench/workload/workload.ts';

const SOUND = `
workload: small
buckets:
  one: { bucket: things }
keys:
  keys: { kind: shared, bucket: one, count: 10 }
values:
  value: { kind: fixed, size: 1KiB }
operations:
  read: { op: get, keys: keys, weight: 3 }
  write: { op: put, keys: keys, value: value }
`;

t.test('every workload of this program is sound', (t) => {
  for (const name of workloadNames()) t.equal(findWorkload(name).name, name);
  t.end();
});

t.test('defaults are filled in and units read', (t) => {
  const workload = parseWorkload('small.yml', SOUND);
  t.equal(workload.clients, 32);
  t.equal(workload.values['value']?.minBytes, 1_024);
  t.equal(workload.warmUp.operations, 10_000);
  t.match(workload.measure, [{ loop: 'closed' }, { loop: 'open', rate: { value: 60, unit: '%' } }]);
  t.match(workload.operations, [
    { name: 'read', weight: 3 },
    { name: 'write', weight: 1 },
  ]);
  t.end();
});

t.test('a mistake is named with its line and the nearest name', (t) => {
  const mistakes: readonly (readonly [from: string, to: string, message: string])[] = [
    ['workload:', 'worklod:', 'line 2: worklod is not a known setting; did you mean workload?'],
    ['op: get', 'op: gett', 'did you mean get?'],
    ['count: 10', 'cuont: 10', 'keys.keys.cuont is not a known setting; did you mean count?'],
    [
      'bucket: one,',
      'bucket: on,',
      'keys.keys.bucket names on, which there is not; did you mean one?',
    ],
    ['value: value', 'value: valeu', 'did you mean value?'],
    ['size: 1KiB', 'size: 1024', 'line 8: values.value.size must be a size'],
    ['weight: 3', 'weight: 0', 'must be a whole number from 1'],
    ['kind: shared', 'kind: shred', 'did you mean shared?'],
  ];
  for (const [from, to, message] of mistakes) {
    t.throws(() => parseWorkload('small.yml', SOUND.replace(from, to)), {
      code: 'config',
      message: new RegExp(message.replaceAll(/[.?]/g, '\\$&')),
    });
  }
  t.end();
});

const QUERY = `${SOUND}  find:
    op: query_api
    keys: keys
    request:
      query_list:
        - index_name: peoplefinder_bin
          start_term: '{birth_year}'
          end_term: '{birth_year}~'
          evaluation_expression: delim($term, "|", ($dob, $fn))
          filter_expression: $fn = "{family_name}"
`;

t.test('a document of the query API is checked as nodes check it', (t) => {
  const mistakes: readonly (readonly [from: string, to: string, message: RegExp])[] = [
    ['{birth_year}~', '{birth_yaer}~', /\{birth_yaer\}, for which nothing is drawn; did you mean/],
    ['delim(', 'delmi(', /find\.request is no query: Validation failure at stage query_eval/],
    ['start_term', 'stat_term', /is no query: Missing required keys in request: start_term/],
  ];
  t.doesNotThrow(() => parseWorkload('small.yml', QUERY));
  for (const [from, to, message] of mistakes) {
    t.throws(() => parseWorkload('small.yml', QUERY.replace(from, to)), { message });
  }
  t.end();
});

t.test('one name stands for one thing in a document, and for others in others', (t) => {
  const { operations } = parseWorkload('small.yml', QUERY);
  const request = operations.find(({ op }) => op === 'query_api')?.request ?? {};
  const random = new SeededRandom(7);
  const years = Array.from({ length: 20 }, () => {
    const body = JSON.parse(fillQuery(request, random)) as {
      readonly query_list: readonly { readonly start_term: string; readonly end_term: string }[];
    };
    const [query] = body.query_list;
    t.match(query?.start_term, /^(19|20)\d\d$/);
    t.equal(query?.end_term, `${query?.start_term}~`);
    return query?.start_term;
  });
  t.ok(new Set(years).size > 5);
  t.end();
});

t.test('operations can be left out by name', (t) => {
  const change = (without: readonly string[]) =>
    withOverrides(parseWorkload('small.yml', QUERY), {
      scale: 1,
      durationMs: undefined,
      clients: undefined,
      rate: undefined,
      warmUpOperations: undefined,
      without,
    }).operations.map(({ name }) => name);
  t.same(change(['find', 'write']), ['read']);
  t.throws(() => change(['fnd']), /small has no fnd: it has read, write, find/);
  t.throws(() => change(['read', 'write', 'find']), /nothing would be left/);
  t.end();
});

t.test('an open loop needs its rate', (t) => {
  const text = `${SOUND}measure:\n  - { loop: open }\n`;
  t.throws(() => parseWorkload('small.yml', text), /measure\[0\].rate must be given/);
  t.end();
});

t.test('a step has no clients that own nothing', (t) => {
  const owned = 'kind: owned, bucket: one, most: 9, least: 3';
  const text = SOUND.replace('kind: shared, bucket: one, count: 10', owned);
  const withClients = (count: number) =>
    `${text}measure:\n  - { loop: closed, clients: ${count} }\n`;
  t.throws(() => parseWorkload('small.yml', withClients(33)), /clients must be at most the 32/);
  t.equal(parseWorkload('small.yml', withClients(32)).measure[0]?.clients, 32);
  t.end();
});

t.test('the tail workload has the mix of general, and its faults', (t) => {
  const { operations, fault } = findWorkload('tail');
  t.same(operations, findWorkload('general').operations);
  t.same(
    fault?.events.map(({ action, node }) => [action, node]),
    [
      ['leave', 5],
      ['kill', 2],
    ],
  );
  t.end();
});

t.test('a list of the wrong length is not called none', (t) => {
  const message = /measure must be a list that is not empty, not a list of 0/;
  t.throws(() => parseWorkload('small.yml', `${SOUND}measure: []\n`), { message });
  t.end();
});

t.test('the spine profiles have the weights and sizes of the driver', (t) => {
  const general = findWorkload('general');
  t.equal(
    general.operations.reduce((sum, { weight }) => sum + weight, 0),
    1_000,
  );
  t.match(general.values['record'], { minBytes: 10_000, spanBytes: 2_000, largeFactor: 10 });
  t.match(general.keys['records'], { most: 2_000_000, least: 700_000, order: 'skew_order' });
  t.equal(findWorkload('clinicals').values['record']?.minBytes, 80_000);
  t.match(findWorkload('passive').measure, [{ rate: { value: 100, unit: '/s' } }]);
  t.end();
});

t.test('the command line changes sizes, times and loops', (t) => {
  const changed = withOverrides(findWorkload('general'), {
    scale: 0.001,
    durationMs: 5_000,
    clients: 7,
    rate: { value: 50, unit: '%' },
    warmUpOperations: 9,
  });
  t.match(changed.keys['records'], { most: 2_000, least: 700 });
  t.same(
    changed.measure.map(({ loop, durationMs, clients }) => [loop, durationMs, clients]),
    [
      ['closed', 5_000, 7],
      ['open', 5_000, 7],
    ],
  );
  t.equal(changed.warmUp.operations, 9);
  t.end();
});

const BASHO = `
%% a comment
{mode, max}.
{duration, 1920}.
{concurrent, 100}.
{driver, basho_bench_driver_nhs}.
{record_bucket, "recordBucket"}.
{key_generator, {int_to_bin_bigendian, {uniform_int, 10000}}}.
{value_generator, {semi_compressible, 10000, 2000, 10, 0.1}}.
{alwaysget, {2000000, 700000, skew_order}}.
{unique, {6000, key_order}}.
{pb_ips, [{127,0,0,1}]}.
{operations, [{alwaysget_pb, 620}, {alwaysget_updatewith2i, 130}, {put_unique, 90},
   {get_unique, 130}, {delete_unique, 25}, {postcodequery_http, 2}, {dobquery_http, 3}]}.
`;

t.test('a basho_bench configuration becomes the same workload', (t) => {
  const workload = parseBashoConfig('nhs.config', BASHO);
  t.equal(workload.clients, 100);
  t.same(
    workload.operations.map(({ name, op, weight }) => [name, op, weight]),
    [
      ['alwaysget_pb', 'get', 620],
      ['alwaysget_updatewith2i', 'update', 130],
      ['put_unique', 'insert', 90],
      ['get_unique', 'get', 130],
      ['delete_unique', 'delete', 25],
      ['postcodequery_http', 'query', 2],
      ['dobquery_http', 'query', 3],
    ],
  );
  t.match(workload.keys['records'], { kind: 'owned', most: 2_000_000, order: 'skew_order' });
  t.match(workload.keys['keys'], { choose: 'uniform', count: 10_000, names: 'big_endian_32' });
  t.match(workload.measure, [{ loop: 'closed', durationMs: 1_920 * 60_000 }]);
  t.end();
});

t.test('a rate of basho_bench is that of each worker', (t) => {
  const workload = parseBashoConfig(
    'rate.config',
    BASHO.replace('{mode, max}', '{mode, {rate, 10}}'),
  );
  t.match(workload.measure, [{ loop: 'open', rate: { value: 1_000, unit: '/s' } }]);
  t.end();
});

t.test("a bucket of basho_bench stands in a path too, and quorums are the bucket's own", (t) => {
  const plain = `{driver, basho_bench_driver_http_raw}. {operations, [{update, 1}]}.
    {key_generator, {uniform_int, 10}}. {value_generator, {fixed_bin, 100}}.`;
  const bucketOf = (more: string) => parseBashoConfig('raw.config', plain + more).buckets['record'];
  t.match(bucketOf(''), { type: 'default', bucket: 'test' });
  t.match(bucketOf('{http_raw_path, "/riak/mine"}.'), { type: 'default', bucket: 'mine' });
  t.match(bucketOf('{http_raw_path, "/buckets/my%20own/keys"}.'), { bucket: 'my own' });
  const typed = '{http_raw_path, "/types/t/buckets/b/keys/"}.';
  t.match(bucketOf(typed), { type: 't', bucket: 'b' });
  for (const [more, message] of [
    ['{http_raw_path, "/luwak"}.', /the http_raw_path \/luwak has no counterpart/],
    ['{http_raw_path, "/riak/%zz"}.', /has no counterpart/],
    ['{http_raw_params, "?r=1"}.', /http_raw_params has no counterpart/],
  ] as const) {
    t.throws(() => bucketOf(more), { code: 'config', message });
  }
  t.equal(parseBashoConfig('raw.config', plain).about, 'read from raw.config');
  const { about } = parseBashoConfig('pb.config', `${plain} {riakc_pb_replies, 1}.`);
  t.match(about, /^read from pb.config; left out: riakc_pb_replies/);
  t.end();
});

t.test('what has no counterpart in basho_bench files is refused by name', (t) => {
  const refused: readonly (readonly [from: string, to: string, message: RegExp])[] = [
    ['{put_unique, 90}', '{fold_it, 90}', /the operation fold_it has no counterpart/],
    [
      'driver_nhs',
      'driver_cassandra',
      /the driver basho_bench_driver_cassandra has no counterpart/,
    ],
    ['semi_compressible', 'own_function', /the value generator {own_function,10000/],
    ['{mode, max}.', '{mode, fun() -> 1 end}.', /line 3/],
    ['{duration, 1920}', '{duration, forever}', /the duration forever .*: give minutes/],
  ];
  for (const [from, to, message] of refused) {
    t.throws(() => parseBashoConfig('odd.config', BASHO.replace(from, to)), {
      code: 'config',
      message,
    });
  }
  t.end();
});
