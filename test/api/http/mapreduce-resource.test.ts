/**
 * MapReduce over HTTP where the recorded answers are silent: switches, failures, broken streams.
 */

import t from 'tap';
import { WorkerScripts } from '../../../src/script/worker-scripts.ts';
import { systemHost } from '../../../src/telemetry/system-host.ts';
import { ask, serve } from './served.ts';
import type { Reply } from './served.ts';

const nothing = (): void => {};
const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const NOTHING = { count: nothing, gauge: nothing, observe: nothing };

const JSON_TYPE = { 'Content-Type': 'application/json' };

const erlang = (name: string, rest: object = {}): object => {
  return { language: 'erlang', module: 'riak_kv_mapreduce', function: name, ...rest };
};

function run(port: number, job: object, query = ''): Promise<Reply> {
  return ask(port, `POST /mapred${query}`, { headers: JSON_TYPE, body: JSON.stringify(job) });
}

t.test('jobs are refused where they are switched off, after the body was judged', async (t) => {
  const { server, port } = await serve({ disabledJobs: new Set(['map_reduce']) });
  t.teardown(() => server.close(0));
  const refused = await run(port, { inputs: 'b', query: [] });
  t.equal(refused.status, 403);
  t.equal(refused.body.toString(), "Operation '{riak_kv,map_reduce}' is not enabled");
  t.equal((await ask(port, 'POST /mapred', { headers: JSON_TYPE, body: '{' })).status, 400);
});

t.test('JavaScript has a switch of its own', async (t) => {
  const script = { inputs: 'b', query: [{ map: { language: 'javascript', name: 'f' } }] };
  const plain = { inputs: [['b', 'k']], query: [{ reduce: erlang('reduce_identity') }] };
  const { server, port } = await serve({ disabledJobs: new Set(['map_reduce_js']) });
  t.teardown(() => server.close(0));
  const refused = await run(port, script);
  t.equal(refused.status, 403);
  t.equal(refused.body.toString(), "Operation '{riak_kv,map_reduce_js}' is not enabled");
  t.equal((await run(port, plain)).status, 200);
  const on = await serve();
  t.teardown(() => on.server.close(0));
  t.match(await run(on.port, script), { status: 400, body: /"phase":0/ });
});

t.test('where JavaScript is on, its functions run, and their faults are told', async (t) => {
  const scripts = new WorkerScripts(systemHost(SILENT, NOTHING), { callTimeMs: 1_000 });
  const { server, port } = await serve({ scripts });
  t.teardown(async () => {
    await server.close(0);
    scripts.close();
  });
  for (const [key, body] of [
    ['a', '{"n":1}'],
    ['b', '{"n":20}'],
  ]) {
    await ask(port, `PUT /buckets/js/keys/${key}?w=all`, { headers: JSON_TYPE, body: body ?? '' });
  }
  const js = (rest: object): object => ({ language: 'javascript', ...rest });
  const inputs = [
    ['js', 'a'],
    ['js', 'b'],
  ];
  const parsed = await run(port, { inputs, query: [{ map: js({ name: 'Riak.mapValuesJson' }) }] });
  t.same(JSON.parse(parsed.body.toString()), [{ n: 1 }, { n: 20 }]);
  const source = 'function (v) { return [JSON.parse(v.values[0].data).n]; }';
  const reduced = [{ map: js({ source }) }, { reduce: js({ name: 'Riak.reduceSum' }) }];
  t.equal((await run(port, { inputs, query: reduced })).body.toString(), '[21]');
  const endless = await run(port, {
    inputs,
    query: [{ map: js({ source: '() => { for (;;) {} }' }) }],
  });
  t.equal(endless.status, 500);
  t.match(JSON.parse(endless.body.toString()), { phase: 0, error: /interrupted/ });
});

t.test('each failure has its status', async (t) => {
  const { server, port, bugs } = await serve();
  t.teardown(() => server.close(0));
  const inputs = [['b', 'nokey']];
  const query = [{ map: erlang('map_object_value') }];

  const failed = await run(port, { inputs, query });
  t.equal(failed.status, 500);
  t.match(JSON.parse(failed.body.toString()), { phase: 0, error: 'function_clause' });

  const unknown = await run(port, { inputs, query: [{ map: erlang('nothing') }] });
  t.equal(unknown.status, 400);
  t.match(JSON.parse(unknown.body.toString()), { phase: 0, error: /which is not exported$/ });

  const untyped = await run(port, { inputs: ['notype', 'b'], query });
  t.equal(untyped.status, 500);
  t.equal(untyped.body.toString(), '{"error":"map_reduce_error"}');
  const filtered = await run(port, { inputs: { bucket: 'b', key_filters: [['nope']] }, query });
  t.equal(filtered.status, 500);
  t.equal(filtered.body.toString(), '{"bad_filter":"nope"}');
  // Such a job runs before it fails, so that its answer in parts has begun.
  for (const bad of [
    { bucket: 'b', key_filters: [['nope']] },
    { bucket: 'b', query: 'q' },
  ]) {
    const inParts = await run(port, { inputs: bad, query }, '?chunked=true');
    t.equal(inParts.status, 200);
    t.match(inParts.headers['content-type'], /^multipart\/mixed;boundary=/);
    t.match(inParts.body.toString(), /^\{"(bad_filter":"nope|error":"map_reduce_error)"\}$/);
  }

  const missing = await run(port, { inputs, query: [{ map: erlang('map_identity') }] });
  t.equal(missing.status, 200);
  t.equal(missing.body.toString(), '{"error":"notfound"}');
  t.same(bugs, []);
});

t.test('a job that takes too long is a failure of the server', async (t) => {
  const { server, node, port } = await serve();
  t.teardown(() => server.close(0));
  node.get = () => new Promise(() => undefined);
  const query = [{ map: erlang('map_object_value') }];
  const late = await run(port, { inputs: [['b', 'k']], query, timeout: 5 });
  t.equal(late.status, 500);
  t.equal(late.body.toString(), '{"error":"timeout"}');
});

t.test('an object as a result, and bytes that are no text, have no JSON form', async (t) => {
  const { server, port, bugs } = await serve();
  t.teardown(() => server.close(0));
  const headers = { 'Content-Type': 'application/octet-stream' };
  await ask(port, 'PUT /buckets/b/keys/k', { headers, body: Buffer.from([0xff, 0xfe]) });
  for (const name of ['map_identity', 'map_object_value']) {
    const reply = await run(port, { inputs: [['b', 'k']], query: [{ map: erlang(name) }] });
    t.equal(reply.status, 500, name);
    t.match(reply.body.toString(), 'bad_term');
  }
  t.same(bugs, []);
});

t.test('among several kept phases, those without results have no list', async (t) => {
  const { server, port } = await serve();
  t.teardown(() => server.close(0));
  const map = { ...erlang('map_object_value'), arg: 'filter_notfound', keep: true };
  const count = { ...erlang('reduce_count_inputs'), keep: true };
  const answerOf = async (query: object[]): Promise<string> => {
    return (await run(port, { inputs: [['b', 'absent']], query })).body.toString();
  };
  t.equal(await answerOf([{ map }, { reduce: count }]), '[[0]]');
  t.equal(await answerOf([{ map }, { map }]), '[]');
  t.equal(await answerOf([{ map: { ...map, keep: false } }, { map }]), '[]');
  t.equal(await answerOf([{ map: { ...map, keep: false } }, { reduce: count }]), '[0]');
});

t.test('a failure among the parts ends them with a bare object', async (t) => {
  const { server, port, bugs } = await serve();
  t.teardown(() => server.close(0));
  const query = [{ map: erlang('map_object_value') }];
  const reply = await run(port, { inputs: [['b', 'nokey']], query }, '?chunked=true');
  t.equal(reply.status, 200);
  t.match(reply.body.toString(), /^\{"phase":0,"error":"function_clause".*\}$/);
  t.same(bugs, []);
});
