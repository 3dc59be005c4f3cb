/**
 * basho_bench's files mean here what they mean there; what they cannot mean is refused, or told, by name.
 */

import t from 'tap';
import { parseBashoConfig } from '../../bench/workload/basho-config.ts';
import { SharedKeys } from '../../bench/workload/key-sets.ts';
import { withOverrides } from '../../bench/workload/scaled.ts';
import { SeededRandom } from '../../src/cli/demo/patient-records.ts';
import type { KeySetSpec } from '../../bench/workload/workload.ts';

const PLAIN = `
{mode, max}. {duration, 1}. {concurrent, 10}.
{driver, basho_bench_driver_riakc_pb}.
{key_generator, {uniform_int, 1000}}.
{value_generator, {fixed_bin, 100}}.
{operations, [{get, 4}, {update, 1}]}.
`;

function workloadOf(more: string, from = '', to = '') {
  return parseBashoConfig('some.config', PLAIN.replace(from, to) + more);
}

function keysOf(generator: string): SharedKeys {
  const { keys } = workloadOf('', '{uniform_int, 1000}', generator);
  const spec = keys['keys'] as Extract<KeySetSpec, { kind: 'shared' }>;
  return new SharedKeys(spec, { index: 0, count: 1 });
}

t.test('what a file leaves out is as basho_bench has it by default', (t) => {
  const workload = parseBashoConfig('bare.config', '{driver, basho_bench_driver_http_raw}.');
  t.equal(workload.clients, 3);
  t.match(workload.measure, [
    { loop: 'open', durationMs: 300_000, rate: { value: 15, unit: '/s' } },
  ]);
  t.match(workload.keys['keys'], { choose: 'uniform', count: 100_000 });
  t.match(workload.values['value'], { kind: 'fixed', minBytes: 100 });
  t.same(
    workload.operations.map(({ op, weight }) => [op, weight]),
    [
      ['get', 4],
      ['put', 4],
      ['delete', 1],
    ],
  );
  t.end();
});

t.test('the key generators give the keys that they give there', (t) => {
  const random = new SeededRandom(5);
  const names: readonly (readonly [generator: string, number: number, name: string])[] = [
    ['{uniform_int, 1000}', 0, '1'],
    ['{uniform_int, 500, 1000}', 999, '1499'],
    ['{partitioned_sequential_int, 7000, 1000}', 0, '7000'],
    ['{sequential_int, 1000}', 0, '0'],
    ['{int_to_str, {uniform_int, 1000}}', 999, '1000'],
    ['{int_to_bin_bigendian, {uniform_int, 1000}}', 0, '\0\0\0\u0001'],
    ['{to_binstr, "user~p", {uniform_int, 1000}}', 6, 'user7'],
    ['{to_binstr, "~10..0B", {sequential_int, 1000}}', 7, '0000000007'],
    ['{str_to_bin, {int_to_str, {sequential_int, 1000}}}', 7, '7'],
    ['{concat_binary, <<"patient-">>, {to_binstr, "~w", {sequential_int, 9}}}', 7, 'patient-7'],
  ];
  for (const [generator, number, name] of names) {
    const keys = keysOf(generator);
    t.equal(keys.nameOf(number), name, generator);
    if (/^\w*\d+$/.test(name)) {
      t.equal(keys.numberOfOwn(keys.nameOf(number)), number, generator);
    }
  }
  const eightyTwenty = keysOf('{eightytwenty_int, 1000}');
  let hot = 0;
  for (let draw = 0; draw < 100_000; draw += 1) if (eightyTwenty.any(random) < 200) hot += 1;
  // That of the NHS driver gives nine tenths, and the generator of this name just what it says.
  t.ok(Math.abs(hot / 100_000 - 0.8) < 0.01, `${hot} of 100,000`);
  t.end();
});

t.test('two processes share a sequence, and write no key twice', (t) => {
  const { keys } = workloadOf('', '{uniform_int, 1000}', '{partitioned_sequential_int, 1001}');
  const spec = keys['keys'] as Extract<KeySetSpec, { kind: 'shared' }>;
  const written = [0, 1].flatMap((index) => {
    const own = new SharedKeys(spec, { index, count: 2 });
    const random = new SeededRandom(1);
    return Array.from({ length: own.shareCount }, () => own.own(random));
  });
  t.equal(written.length, 1_001);
  t.equal(new Set(written).size, 1_001);
  t.end();
});

t.test('a target that makes the keys, and updates of what is there', (t) => {
  const operations = '[{insert, 1}, {update_existing, 2}]';
  const [insert, update] = workloadOf('', '[{get, 4}, {update, 1}]', operations).operations;
  t.match(insert, { op: 'insert' });
  t.match(update, { op: 'update', not_found: 'error', weight: 2 });
  t.end();
});

t.test('settings that are not read are told, but where to find the target', (t) => {
  const { about } = workloadOf(`
    {riakc_pb_ips, [{127,0,0,1}]}. {code_paths, ["deps/riakc"]}. {riakc_pb_r, 1}.
    {pb_timeout_read, 5000}. {shutdown_on_error, true}. {rng_seed, {1, 2, 3}}.`);
  t.match(about, /riakc_pb_r, in whose place the bucket's quorums hold/);
  t.match(about, /not read: pb_timeout_read, shutdown_on_error, rng_seed/);
  t.notMatch(about, /ips|code_paths|concurrent/);
  const { buckets } = workloadOf('{riakclient_bucket, <<"bench">>}.', 'riakc_pb', 'riakclient');
  t.match(buckets['record'], { type: 'default', bucket: 'bench' });
  t.end();
});

t.test('what cannot be read is refused in words', (t) => {
  const refused: readonly (readonly [from: string, to: string, message: RegExp])[] = [
    ['{uniform_int, 1000}', 'fun(Id) -> fun() -> Id end end', /line 4: a fun cannot be read/],
    ['{uniform_int, 1000}', '{uniform_int, ?MAX}', /line 4: a macro cannot be read/],
    ['{uniform_int, 1000}', '{uniform_int, Max}', /line 4: a variable cannot be read/],
    ['{uniform_int, 1000}', '#{max => 1}', /line 4: a map or record cannot be read/],
    [
      '{uniform_int, 1000}',
      '{function, mine, keys, []}',
      /key generator {function,mine,keys,\[\]}/,
    ],
    ['{uniform_int, 1000}', '{uniform_int, 0}', /key generator {uniform_int,0} has no counterpart/],
    ['{uniform_int, 1000}', '{uniform_int, 1.5}', /key generator {uniform_int,1.5} has no/],
    [
      '{uniform_int, 1000}',
      '{to_binstr, "~x", {uniform_int, 9}}',
      /key generator {to_binstr,"~x",/,
    ],
    [
      '{uniform_int, 1000}',
      '{{int_to_bin_bigendian, 64}, {uniform_int, 9}}',
      /int_to_bin_bigendian,64/,
    ],
    ['{fixed_bin, 100}', '{fixed_bin, 100, 0}', /the value generator {fixed_bin,100,0} has no/],
    ['{fixed_bin, 100}', '{fixed_bin, big}', /the value generator {fixed_bin,big} has no/],
    ['{get, 4}', '{{put_pb, 5}, 20}', /the operation {put_pb,5} has no counterpart/],
    ['{get, 4}', '{get, 0.5}', /the weight 0.5 of get is no whole number above 0/],
    ['{mode, max}', '{mode, fast}', /the mode fast has no counterpart/],
    ['{mode, max}', '{mode, {rate, 0}}', /the mode {rate,0} has no counterpart/],
    ['{duration, 1}', '{duration, 0}', /the duration 0 has no counterpart/],
    ['{concurrent, 10}', '{concurrent, 0}', /concurrent must be from 1 to 65000, not 0/],
    ['{concurrent, 10}.', '{concurrent, 10}', /line 3: \. is missing/],
  ];
  for (const [from, to, message] of refused) {
    t.throws(() => workloadOf('', from, to), { code: 'config', message }, to);
  }
  t.end();
});

t.test('a file without an end runs for as long as the command line says', (t) => {
  const endless = workloadOf('', '{duration, 1}', '{duration, infinity}');
  const overrides = {
    scale: 1,
    clients: undefined,
    rate: undefined,
    warmUpOperations: undefined,
  };
  const { measure } = withOverrides(endless, { ...overrides, durationMs: 60_000 });
  t.match(measure, [{ durationMs: 60_000 }]);
  const endlessly = () => withOverrides(endless, { ...overrides, durationMs: undefined });
  const message = /has no end of its own: --duration says how long$/;
  t.throws(endlessly, { code: 'config', message });
  t.match(endless.about, /duration infinity: --duration is needed/);
  t.end();
});
