/**
 * Jobs from end to end over a node in a map.
 */

import t from 'tap';
import { JobWorld, erlangPhase, eventsOf, host, jsonJob, resultsOf } from './job-world.ts';
import { CountingClock } from '../counting-clock.ts';
import { phaseFailureJson } from '../../src/mapreduce/failure-text.ts';
import { textBinary, tuple } from '../../src/mapreduce/term.ts';
import { Turns } from '../../src/base/turns.ts';
import { runStage, type Stage } from '../../src/mapreduce/phase-stages.ts';
import { runJob } from '../../src/mapreduce/run-job.ts';

import type { Phase } from '../../src/mapreduce/job.ts';
import type { JobEvent } from '../../src/mapreduce/job-ports.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Job } from '../../src/mapreduce/job.ts';
import type { Contents } from './job-world.ts';

const VALUES = erlangPhase('map', 'map_object_value', { arg: 'filter_notfound' });

const world = (): JobWorld => {
  return new JobWorld({
    'default/b/a': { values: ['10'], links: [['b', 'c', 't']] },
    'default/b/c': { values: ['33'] },
    'default/b/two': { values: ['1', '2'] },
    'typed/b/k': { values: ['one'] },
  });
};

t.test('a job without phases gives its inputs', async (t) => {
  const inputs = [
    ['b', 'a'],
    ['b', 'c', { x: 1 }],
    ['b', 'k', null, 'typed'],
  ];
  t.same(await resultsOf(world(), jsonJob(inputs, [])), { 0: inputs });
});

t.test('keys that no filter passes give no results, not empty ones', async (t) => {
  const job = jsonJob({ bucket: 'b', key_filters: [['eq', 'nokey']] }, []);
  t.same(await eventsOf(world(), job), []);
});

t.test('phases that are kept come out, and those that are not only go on', async (t) => {
  const query = [
    erlangPhase('map', 'map_object_value', { keep: true }),
    erlangPhase('reduce', 'reduce_string_to_integer'),
    erlangPhase('reduce', 'reduce_sum'),
  ];
  const inputs = [
    ['b', 'a'],
    ['b', 'c'],
  ];
  t.same(await resultsOf(world(), jsonJob(inputs, query)), { 0: ['10', '33'], 2: [43] });
  const nothingKept = jsonJob(inputs, [{ map: { ...map(VALUES), keep: false } }]);
  t.same(await resultsOf(world(), nothingKept), {});
});

function map(phase: object): object {
  return (phase as { map: object }).map;
}

t.test('a missing key fails the phase, unless the argument says what it comes to', async (t) => {
  const ask = (arg: unknown) => {
    const phase = erlangPhase('map', 'map_object_value', arg === undefined ? {} : { arg });
    return resultsOf(world(), jsonJob([['b', 'nokey', 'data']], [phase]));
  };
  t.match(await ask(undefined), {
    failure: {
      reason: 'phase',
      phase: 0,
      error: 'function_clause',
      input: '{{error,notfound},{<<"b">>,<<"nokey">>},<<"data">>}',
    },
  });
  t.same(await ask('filter_notfound'), {});
  t.same(await ask('include_notfound'), { 0: { error: 'notfound' } });
  t.same(await ask('include_keydata'), { 0: ['data'] });
  t.same(await ask({ sub: [1, 'x'] }), { 0: [1, 'x'] });
});

t.test('a function that came as Erlang text cannot start, which its sender tells', async (t) => {
  const text = { language: 'erlang', source: 'fun(_, _, _) -> [1] end.' };
  const ask = (inputs: unknown, query: readonly object[]) => {
    return resultsOf(world(), jsonJob(inputs, query));
  };
  const startup = { error: '[worker_startup_failed]', type: 'result', stack: '[]' };
  const inputs = [['b', 'a']];
  const failure = { reason: 'phase', phase: 0, input: '{<<"b">>,<<"a">>}', ...startup };
  t.same(await ask(inputs, [{ map: text }]), { failure });
  t.same(await ask('empty', [{ map: text }]), {}, 'nothing is sent to it');
  const after = await ask(inputs, [VALUES, { reduce: { ...text, arg: 1 } }]);
  t.match(after, { failure: { reason: 'phase', phase: 0, ...startup } });
  const stored = { language: 'erlang', bucket: 'b', key: 'a' };
  t.same(await ask(inputs, [{ reduce: stored }]), {
    failure: { reason: 'source', term: '{error,[worker_startup_failed]}' },
  });
});

t.test('what gives no list is told without a type and a stack', async (t) => {
  const list = erlangPhase('map', 'map_object_value_list');
  t.match(
    await failureJson(jsonJob([['b', 'a']], [list])),
    /^\{"phase":0,"error":"non_list_result","input":"\{ok,\{r_object,.*,undefined\}"\}$/,
  );
  const substitute = erlangPhase('map', 'map_object_value', { arg: { sub: 'text' } });
  t.equal(
    await failureJson(jsonJob([['b', 'nokey']], [substitute])),
    '{"phase":0,"error":"non_list_result",' +
      String.raw`"input":"{{error,notfound},{<<\"b\">>,<<\"nokey\">>},undefined}"}`,
  );
});

t.test('a reduce function that fails on its last batch is told without an input', async (t) => {
  const ask = (count: number, name: string) => {
    const inputs = Array.from({ length: count }, () => ['b', 'a']);
    return failureJson(jsonJob(inputs, [VALUES, erlangPhase('reduce', name)]));
  };
  const bare = '"input":null,"type":null,"stack":null}';
  t.equal(
    await ask(19, 'reduce_sum'),
    `{"phase":1,"error":"{badarith,[{riak_kv_mapreduce,reduce_sum}]}",${bare}`,
  );
  const entry = String.raw`{unhandled_entry,<<\"10\">>}`;
  t.equal(
    await ask(1, 'reduce_identity'),
    `{"phase":1,"error":"{bad_return_value,${entry}}",${bare}`,
  );
  t.match(await ask(1, 'reduce_plist_sum'), '"error":"{function_clause,');
  const input = String.raw`"input":"<<\"10\">>"`;
  t.match(await ask(20, 'reduce_sum'), `"error":"badarith",${input},"type":"error","stack":"[`);
  t.match(
    await ask(40, 'reduce_identity'),
    `"error":"${entry}",${input},"type":"throw","stack":"[`,
  );
});

t.test(
  'what fails before a reduce function has its batch is told, not the end of that',
  async (t) => {
    const [phase] = jsonJob([['b', 'a']], [erlangPhase('reduce', 'reduce_sum')]).phases;
    const failure = { kind: 'failed', failure: { reason: 'timeout' } } as const;
    async function* inputs(): AsyncGenerator<JobEvent> {
      yield { kind: 'results', phase: -1, results: [textBinary('no number')] };
      yield failure;
    }
    const stage: Stage = {
      ...host,
      ports: world(),
      leftMs: () => 1_000,
      turns: new Turns(host.clock),
      index: 0,
      keepsInputs: false,
    };
    const events: JobEvent[] = [];
    for await (const event of runStage(inputs(), phase as Phase, stage)) events.push(event);
    t.same(events, [failure]);
  },
);

/** What the client gets of a job that fails. */
async function failureJson(job: Job): Promise<string> {
  const [event] = (await eventsOf(world(), job)).filter(({ kind }) => kind === 'failed');
  return event?.kind === 'failed' && event.failure.reason === 'phase'
    ? phaseFailureJson(event.failure)
    : '';
}

t.test('an object with siblings has no single value', async (t) => {
  const outcome = await resultsOf(world(), jsonJob([['b', 'two']], [VALUES]));
  const error = /^\{badmatch,\[\{\{dict,\.\.\.\},<<".*">>\},\{\{dict,\.\.\.\},<<".*">>\}\]\}$/;
  t.match(outcome, { failure: { reason: 'phase', error } });
});

t.test('objects go from map phase to map phase and have no form outside', async (t) => {
  const identity = erlangPhase('map', 'map_identity');
  t.same(await resultsOf(world(), jsonJob([['b', 'a']], [identity, VALUES])), { 1: ['10'] });
  t.same(await resultsOf(world(), jsonJob([['b', 'a']], [identity])), { 0: 'bad_term' });
});

t.test('links lead to the next phase with their tag as key data', async (t) => {
  const link = { link: { tag: 't' } };
  t.same(await resultsOf(world(), jsonJob([['b', 'a']], [link, VALUES])), { 1: ['33'] });
  t.same(await resultsOf(world(), jsonJob([['b', 'a']], [link])), { 0: [['b', 'c', 't']] });
  const other = { link: { bucket: 'other' } };
  t.same(await resultsOf(world(), jsonJob([['b', 'a']], [other])), {});
});

t.test('the links of siblings come once, in the order of what they name', async (t) => {
  const links = [
    ['b', 'c', 't'],
    ['b', 'a', 'u'],
    ['a', 'z', 't'],
    ['b', 'a', 't'],
  ] as const;
  const split = new JobWorld({ 'default/b/two': { values: ['1', '2'], links } });
  const sorted = [links[2], links[3], links[1], links[0]];
  t.same(await resultsOf(split, jsonJob([['b', 'two']], [{ link: {} }])), { 0: sorted });
});

t.test('a link names no type: it leads from a typed key to one of the default type', async (t) => {
  const linked = new JobWorld({
    'typed/b/k': { values: ['one'], links: [['b', 'a', 't']] },
    'typed/b/a': { values: ['typed'] },
    'default/b/a': { values: ['untyped'] },
  });
  const from = [['b', 'k', null, 'typed']];
  t.same(await resultsOf(linked, jsonJob(from, [{ link: {} }])), { 0: [['b', 'a', 't']] });
  t.same(await resultsOf(linked, jsonJob(from, [{ link: {} }, VALUES])), { 1: ['untyped'] });
});

t.test('typed buckets give typed addresses', async (t) => {
  const inputs = ['typed', 'b'];
  t.same(await resultsOf(world(), jsonJob(inputs, [])), { 0: [['b', 'k', null, 'typed']] });
  t.same(await resultsOf(world(), jsonJob(inputs, [VALUES])), { 0: ['one'] });
  const identity = erlangPhase('reduce', 'reduce_identity');
  t.same(await resultsOf(world(), jsonJob(inputs, [identity, VALUES])), { 1: ['one'] });
});

t.test('a bucket type that is none is told before anything is read', async (t) => {
  t.match(await eventsOf(world(), jsonJob(['absent', 'b'], [VALUES])), [
    { kind: 'failed', failure: { reason: 'source', term: /^\{error,/ } },
  ]);
  const address = [['b', 'k', '', 'absent']];
  const link = { link: { tag: 't' } };
  for (const phase of [VALUES, link]) {
    const outcome = await resultsOf(world(), jsonJob(address, [phase]));
    t.match(outcome, { failure: { reason: 'source', term: /^\{error,/ } });
  }
  const identity = erlangPhase('reduce', 'reduce_identity');
  const later = await resultsOf(world(), jsonJob(address, [identity, VALUES]));
  t.match(later, { failure: { reason: 'phase', phase: 1, error: 'unknown_bucket_type' } });
});

t.test('what is no address fails the phase that gets it', async (t) => {
  const query = [VALUES, VALUES];
  const outcome = await resultsOf(world(), jsonJob([['b', 'a']], query));
  t.match(outcome, { failure: { reason: 'phase', phase: 1, error: 'bad_input' } });
});

t.test(
  'a phase does not read what its user may not map, wherever the address is from',
  async (t) => {
    const readable: string[] = [];
    const mayMap = ({ bucket }: { readonly bucket: string }): boolean => readable.includes(bucket);
    const outcome = async (): Promise<string> => {
      const [last] = (await eventsOf(world(), jsonJob([['b', 'a']], [VALUES]), { mayMap })).slice(
        -1,
      );
      return last?.kind === 'failed' && last.failure.reason === 'phase'
        ? last.failure.error
        : 'read';
    };
    t.equal(await outcome(), 'permission_denied');
    readable.push('b');
    t.equal(await outcome(), 'read');
  },
);

t.test('a job that is not done in time ends with a time-out, reads or not', async (t) => {
  // The host's own timers do not keep the process alive, and nothing else would.
  const alive = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(alive));
  const stuck = world();
  stuck.isStuck = true;
  const job = jsonJob([['b', 'a']], [VALUES], { timeout: 5 });
  t.same(await resultsOf(stuck, job), { failure: { reason: 'timeout' } });
  for (const timeoutMs of [0, 1]) {
    const none = { ...jsonJob([['b', 'a']], [VALUES]), timeoutMs };
    t.same(await resultsOf(world(), none), { failure: { reason: 'timeout' } });
  }
});

t.test('nothing is read ahead of who takes the results', async (t) => {
  const slow = world();
  const inputs = Array.from({ length: 2000 }, () => ['b', 'a']);
  const events = runJob(jsonJob(inputs, [VALUES]), slow, host);
  await events.next();
  t.ok(slow.readCount <= 512, `${slow.readCount} reads for one batch`);
  await events.return(undefined);
  const { readCount } = slow;
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  t.equal(slow.readCount, readCount);
});

t.test('what is sorted goes on in parts, with turns for others between them', async (t) => {
  const clock = new CountingClock();
  const names = Array.from({ length: 5_000 }, (_, index) => `${(index * 7_919) % 5_000}`);
  const job = jsonJob(
    names.map((name) => ['b', name]),
    [erlangPhase('reduce', 'reduce_sort')],
  );
  const sorted: unknown[] = [];
  let before: number | undefined;
  for await (const event of runJob(job, world(), { ...host, clock })) {
    before ??= clock.turnCount;
    if (event.kind !== 'results') throw new Error(JSON.stringify(event.failure));
    t.ok(event.results.length <= 512, `${event.results.length} results`);
    sorted.push(...event.results);
  }
  t.same(
    sorted,
    names.toSorted().map((name) => tuple(textBinary('b'), textBinary(name))),
  );
  t.equal(clock.turnCount - (before ?? 0), 9);
});

t.test('a job that nobody waits for ends, though no result of it comes', async (t) => {
  for (const query of [[], [erlangPhase('reduce', 'reduce_count_inputs')]]) {
    let readCount = 0;
    const endless = world();
    endless.listKeys = async function* () {
      for (; readCount < 1_000; readCount += 1) yield ['k' as ByteString];
    };
    const isPassing = query.length > 0;
    const filter = [isPassing ? 'eq' : 'neq', 'k'];
    const job = jsonJob({ bucket: 'b', key_filters: [filter] }, query);
    const isWanted = (): boolean => readCount < 3;
    const events = runJob(job, endless, { ...host, isWanted });
    await t.rejects(events.next(), { code: 'closed' });
    t.equal(readCount, 3);
  }
});

t.test('keys that a filter takes too long over are left out, and counted', async (t) => {
  const long = `default/b/${'ab'.repeat(32_000)}`;
  const dear = ['matches', '(a[ab]{300}b|b[ab]{300}a|[ab]{300}$)'];
  const counts: string[] = [];
  const metrics = { ...host.metrics, count: (name: string) => counts.push(name) };
  const job = jsonJob({ bucket: 'b', key_filters: [['not', [dear]]] }, []);
  const found: unknown[] = [];
  const contents = { [long]: { values: ['1'] }, 'default/b/c': { values: ['2'] } };
  for await (const event of runJob(job, new JobWorld(contents), { ...host, metrics })) {
    if (event.kind === 'results') found.push(...event.results);
  }
  t.equal(found.length, 1);
  t.equal(counts.filter((name) => name === 'expression_overruns_total').length, 1);
});

t.test('a job gives way by what its keys and results cost, not by their number', async (t) => {
  const turnsOf = async (contents: Contents, inputs: unknown, query: unknown) => {
    const clock = new CountingClock();
    const job = jsonJob(inputs, query);
    const ends: unknown[] = [];
    for await (const event of runJob(job, new JobWorld(contents), { ...host, clock })) {
      if (event.kind === 'failed') ends.push(event.failure);
    }
    t.same(ends, []);
    return clock.turnCount;
  };
  const some = (length: number): Contents => {
    const name = (index: number): string => `default/b/${index}${'k'.repeat(length)}`;
    const value = { values: ['v'.repeat(length)] };
    return Object.fromEntries(Array.from({ length: 20 }, (_, index) => [name(index), value]));
  };
  const filtered = { bucket: 'b', key_filters: [['matches', 'x$']] };
  const mapped = [erlangPhase('map', 'map_object_value')];
  t.equal(await turnsOf(some(10), filtered, mapped), 0, 'short keys');
  t.ok((await turnsOf(some(50_000), filtered, mapped)) >= 20, 'a filter over long keys');
  t.equal(await turnsOf(some(10), 'b', mapped), 0, 'short results');
  t.ok((await turnsOf(some(70_000), 'b', mapped)) >= 20, 'long results');
  const addresses = Array.from({ length: 300 }, () => ['x', 'y'.repeat(2_000)]);
  t.ok((await turnsOf({}, addresses, [erlangPhase('reduce', 'reduce_identity')])) >= 4, 'inputs');
});
