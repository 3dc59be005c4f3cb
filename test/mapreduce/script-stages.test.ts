/**
 * Phases in JavaScript: what they are given and what becomes of what they give. Here the functions are
 * this process's own, behind the same port; `test/script` has them where they belong.
 */

import fc from 'fast-check';
import t from 'tap';
import { parseJsonJob } from '../../src/mapreduce/job-from-json.ts';
import { parseTermJob } from '../../src/mapreduce/job-from-term.ts';
import { encodeTerm } from '../../src/mapreduce/external-term.ts';
import { atom, tuple } from '../../src/mapreduce/term.ts';
import { itemsOf } from '../../src/mapreduce/script-results.ts';
import { JsonResults, jsonToTerm } from '../../src/mapreduce/term-json.ts';
import { Turns } from '../../src/base/turns.ts';
import { runJob } from '../../src/mapreduce/run-job.ts';
import { CountingClock } from '../counting-clock.ts';
import { JobWorld, erlangPhase, eventsOf, host, jsonJob, resultsOf } from './job-world.ts';
import type { ScriptEngine } from '../../src/mapreduce/script.ts';
import type { Term } from '../../src/mapreduce/term.ts';

type Run = (...args: never[]) => unknown;

/** Functions by what stands for them; counts what is open. */
class NamedScripts implements ScriptEngine {
  readonly #runs: Readonly<Record<string, Run>>;
  openCount = 0;

  constructor(runs: Readonly<Record<string, Run>>) {
    this.#runs = runs;
  }

  open(expression: string): ReturnType<ScriptEngine['open']> {
    this.openCount += 1;
    const call = async (args: string) => {
      const run = this.#runs[expression];
      if (run === undefined) return { kind: 'failed', message: 'no function' } as const;
      const json = JSON.stringify(run(...(JSON.parse(args) as never[])));
      return { kind: 'returned', json } as const;
    };
    return {
      call,
      close: () => {
        this.openCount -= 1;
      },
    };
  }
}

const world = (): JobWorld =>
  new JobWorld({
    'default/b/a': { values: ['1'], links: [['b', 'c', 't']] },
    'default/b/c': { values: ['2', '3'] },
    'default/code/sum': { values: ['sum'] },
    'typed/b/a': { values: ['4'] },
  });

const js = (kind: 'map' | 'reduce', rest: object): object => ({
  [kind]: { language: 'javascript', ...rest },
});

interface Shown {
  readonly bucket: string;
  readonly key: string;
  readonly values: readonly { readonly data: string; readonly metadata: object }[];
}

const RUNS: Readonly<Record<string, Run>> = {
  show: (value: unknown, keyData: unknown, arg: unknown) => [value, keyData, arg],
  data: (value: Shown) => value.values.map(({ data }) => Number(data)),
  sum: (values: number[]) => [values.reduce((sum, value) => sum + value, 0)],
  count: (values: unknown[], arg: unknown) => [values.length, arg],
  pair: () => [['b', 'c']],
  odd: () => 5,
};

t.test('a map function is given the object, key data and argument', async (t) => {
  const scripts = new NamedScripts(RUNS);
  const query = [js('map', { source: 'show', arg: { x: 1 } })];
  const { 0: results } = await resultsOf(world(), jsonJob([['b', 'a', 'kd']], query), scripts);
  t.match(results, [
    {
      bucket: 'b',
      key: 'a',
      vclock: /^[A-Za-z0-9+/=]+$/,
      values: [
        {
          metadata: { 'X-Riak-VTag': 'v', Links: [['b', 'c', 't']], 'X-Riak-Meta': {}, index: {} },
          data: '1',
        },
      ],
    },
    'kd',
    { x: 1 },
  ]);
  t.equal(scripts.openCount, 0, 'the function is closed');
});

t.test('no function is called for a key that holds nothing, which goes on as such', async (t) => {
  const scripts = new NamedScripts(RUNS);
  const typed = jsonJob([['b', 'no', null, 'typed']], [js('map', { source: 'data' })]);
  const missing = { bucket_type: 'typed', bucket: 'b', key: 'no', keydata: 'undefined' };
  t.same(await resultsOf(world(), typed, scripts), { 0: [{ not_found: missing }] });

  const inputs = [
    ['b', 'no', 'kd'],
    ['b', 'a'],
  ];
  const summed = [js('map', { source: 'data', keep: true }), erlangPhase('reduce', 'reduce_sum')];
  const untyped = { not_found: { bucket: 'b', key: 'no', keydata: 'kd' } };
  t.same(await resultsOf(world(), jsonJob(inputs, summed), scripts), { 0: [untyped, 1], 1: [1] });
});

t.test('as a term, what holds nothing stays one through functions in JavaScript', async (t) => {
  const scripts = new NamedScripts({ ...RUNS, same: (values: unknown[]) => values });
  const query = [js('map', { source: 'data', keep: true }), js('reduce', { source: 'same' })];
  const inputs = [
    ['b', 'no'],
    ['b', 'no', null, 'typed'],
  ];
  const events = await eventsOf(world(), jsonJob(inputs, query), { scripts });
  const results = (phase: number): unknown =>
    events.flatMap((event) =>
      event.kind === 'results' && event.phase === phase ? event.results : [],
    );
  const [bucket, key] = [Buffer.from('b'), Buffer.from('no')];
  const missing = (keyData: Term): readonly Term[] => [
    tuple(atom('not_found'), tuple(bucket, key), keyData),
    tuple(atom('not_found'), tuple(tuple(Buffer.from('typed'), bucket), key), keyData),
  ];
  t.same(results(0), missing(atom('undefined')));
  t.same(results(1), missing(Buffer.from('undefined')), 'JSON has no atoms');
});

t.test('phases of both languages follow one another', async (t) => {
  const scripts = new NamedScripts(RUNS);
  const query = [
    js('map', { source: 'pair' }),
    js('map', { source: 'data', keep: true }),
    js('reduce', { bucket: 'code', key: 'sum' }),
    erlangPhase('reduce', 'reduce_sum'),
  ];
  const outcome = await resultsOf(world(), jsonJob([['b', 'a']], query), scripts);
  t.same(outcome, { 1: [2, 3], 3: [5] });
  t.equal(scripts.openCount, 0);
});

t.test('a reduce function sees its results again, in batches as asked for', async (t) => {
  const scripts = new NamedScripts(RUNS);
  const inputs = Array.from({ length: 5 }, () => ['b', 'a']);
  const reduce = async (arg: unknown) => {
    const job = jsonJob(inputs, [js('reduce', { source: 'count', arg })]);
    return (await resultsOf(world(), job, scripts))[0];
  };
  t.same(await reduce(7), [5, 7]);
  t.match(await reduce({ reduce_phase_batch_size: 2 }), [3, {}], 'two results and the last input');
  t.match(await reduce({ reduce_phase_only_1: true }), [5, { reduce_phase_only_1: true }]);
  t.match(await reduce({ reduce_phase_batch_size: 0 }), [3, {}], 'each input at once');
  const many = Array.from({ length: 41 }, () => ['b', 'a']);
  const phase = js('reduce', { source: 'count' });
  t.match(
    (await resultsOf(world(), jsonJob(many, [phase]), scripts))[0],
    [3],
    'else 20, as in Riak',
  );
  const none = jsonJob({ bucket: 'b', key_filters: [['eq', 'x']] }, [
    js('reduce', { source: 'sum' }),
  ]);
  t.same(await resultsOf(world(), none, scripts), { 0: [0] }, 'once, of nothing at all');
});

t.test('what goes wrong in a function fails its phase', async (t) => {
  const scripts = new NamedScripts(RUNS);
  const failed = async (phase: object) => {
    const outcome = await resultsOf(world(), jsonJob([['b', 'a']], [phase]), scripts);
    t.match(outcome, { failure: { reason: 'phase', phase: 0 } });
    return (outcome['failure'] as { readonly error: string }).error;
  };
  t.equal(await failed(js('map', { source: 'nothing' })), 'no function');
  t.equal(await failed(js('map', { name: 'a; b' })), 'no_function');
  t.equal(await failed(js('map', { bucket: 'code', key: 'nokey' })), 'no_function');
  t.equal(await failed(js('map', { source: 'odd' })), 'the function gave no list');
  t.equal(await failed(js('reduce', { source: 'odd' })), 'the function gave no list');
  t.equal(scripts.openCount, 0);
});

t.test('what a function gives goes on in parts, with turns for others between them', async (t) => {
  const many = Array.from({ length: 60_000 }, (_, index) => index);
  const scripts = new NamedScripts({ many: () => many, whole: () => [{ many }] });
  for (const kind of ['map', 'reduce'] as const) {
    for (const source of ['many', 'whole']) {
      const clock = new CountingClock();
      const job = jsonJob([['b', 'a']], [js(kind, { source })]);
      const results: unknown[] = [];
      const here = world();
      here.isMappedHere = true;
      for await (const event of runJob(job, here, { ...host, clock, scripts })) {
        if (event.kind !== 'results') throw new Error(JSON.stringify(event.failure));
        t.ok(event.results.length <= 512, `${event.results.length} results`);
        const json = new JsonResults();
        json.add(event.results);
        for (const result of JSON.parse(json.text() ?? '') as unknown[]) results.push(result);
      }
      t.same(results, source === 'many' ? many : [{ many }]);
      t.ok(clock.turnCount > 5, `${kind} ${source}: ${clock.turnCount} turns`);
    }
  }
});

t.test('a function that gives more than may be held fails', async (t) => {
  const flood = Array.from({ length: 3_000_000 }, () => 0);
  const deep = JSON.parse(`${'['.repeat(70)}${']'.repeat(70)}`) as unknown;
  const scripts = new NamedScripts({ flood: () => flood, whole: () => [flood], deep: () => deep });
  const failed = async (phase: object) => {
    const here = world();
    here.isMappedHere = true;
    for (const event of await eventsOf(here, jsonJob([['b', 'a']], [phase]), { scripts })) {
      if (event.kind === 'failed') return (event.failure as { readonly error?: string }).error;
    }
    return undefined;
  };
  t.equal(await failed(js('map', { source: 'flood' })), 'system_limit');
  t.equal(await failed(js('map', { source: 'whole' })), 'system_limit');
  t.equal(await failed(js('reduce', { source: 'whole' })), 'system_limit');
  t.equal(await failed(js('map', { source: 'deep' })), 'too_deep');
  t.equal(await failed(js('reduce', { source: 'deep' })), 'too_deep');
});

t.test('what functions give is read as any JSON is', async (t) => {
  const values = fc.array(fc.jsonValue({ maxDepth: 6 }));
  await fc.assert(
    fc.asyncProperty(values, async (value) => {
      const terms: unknown[] = [];
      for await (const some of itemsOf(JSON.stringify(value), new Turns(host.clock))) {
        if ('crash' in some) throw new Error(some.crash);
        terms.push(...some);
      }
      t.same(terms, JSON.parse(JSON.stringify(value)).map(jsonToTerm));
    }),
    { numRuns: 300 },
  );
});

t.test('without an engine JavaScript is refused as Riak 3 refuses it', (t) => {
  const phase = js('map', { source: 'show' });
  const body = Buffer.from(JSON.stringify({ inputs: 'b', query: [phase] }));
  t.match(parseJsonJob(body, { hasScripts: false }), {
    refusal: 'bad-phase',
    reason: /^The PhaseSpec part of the argument for riak_kv_mrc_map must be/,
  });
  t.end();
});

t.test('Erlang clients name functions in terms', (t) => {
  const text = (value: string): Buffer => Buffer.from(value);
  const read = (spec: Term): unknown => {
    const step = tuple(atom('map'), spec, atom('none'), atom('true'));
    const job = [tuple(atom('inputs'), text('b')), tuple(atom('query'), [step])];
    return parseTermJob(encodeTerm(job) as Buffer, { hasScripts: true });
  };
  const source = (found: object): object => ({ phases: [{ kind: 'script-map', source: found }] });
  t.match(read(tuple(atom('jsfun'), text('Riak.mapValues'))), source({ name: 'Riak.mapValues' }));
  t.match(read(tuple(atom('jsanon'), text('x'))), source({ kind: 'text', text: 'x' }));
  const at = tuple(text('b'), text('k'));
  t.match(read(tuple(atom('jsanon'), at)), source({ key: { bucket: 'b', key: 'k' } }));
  t.match(read(tuple(atom('jsfun'), at)), source({ name: '' }));
  t.match(read(tuple(atom('jsother'), text('x'))), { refusal: 'bad-phase' });
  t.end();
});
