/** Map functions in a cluster: where they run, and what becomes of a job when that is not possible. */

import t from 'tap';
import type { NodeId } from '../../src/base/names.ts';
import { textBinary, type Term, type TermList } from '../../src/mapreduce/term.ts';
import { encodeTask } from '../../src/mapreduce/map-task.ts';
import { runJob } from '../../src/mapreduce/run-job.ts';
import type { ScriptEngine } from '../../src/mapreduce/script.ts';
import { erlangPhase, jsonJob } from '../mapreduce/job-world.ts';
import { TestCluster } from './cluster-harness.ts';
import { contextOf, N1, N2, N3, Teller } from './told.ts';
import { ProcessClock } from './virtual-time.ts';

const [N4, N5] = ['n4', 'n5'] as string[] as [NodeId, NodeId];
const VALUES = erlangPhase('map', 'map_object_value');
const KEY_COUNT = 60;

/** Until all say, and have heard of each other, that they hold what they should. */
async function untilFilled(cluster: TestCluster): Promise<void> {
  await cluster.time.until(() =>
    cluster.ids.every((id) => cluster.node(id).operations().transfers().isFilled),
  );
  await cluster.time.advance(1_000);
}

/** Keys `k0` … of five nodes, each with its own name as value. */
async function filledCluster(): Promise<TestCluster> {
  const cluster = await TestCluster.start({ nodeCount: 5 });
  const teller = new Teller(cluster);
  for (let serial = 0; serial < KEY_COUNT; serial += 1) {
    const key = { ...cluster.keyWhere(() => true), key: `k${serial}` as never };
    await teller.put(N1, key, { text: `k${serial}`, w: 'all' });
  }
  await untilFilled(cluster);
  return cluster;
}

const inputsOf = (names: readonly string[]): unknown => names.map((name) => ['b', name]);
const ALL_NAMES = Array.from({ length: KEY_COUNT }, (_, serial) => `k${serial}`);

/** The results of all kept phases in the order in which they came, or the failure. */
async function resultsAt(
  cluster: TestCluster,
  at: NodeId,
  job: ReturnType<typeof jsonJob>,
  scripts?: ScriptEngine,
): Promise<TermList | object> {
  const clock = new ProcessClock(cluster.time);
  const metrics = { count: () => undefined, gauge: () => undefined, observe: () => undefined };
  const all = async (): Promise<TermList | object> => {
    const results: Term[] = [];
    const host = { clock, metrics, scripts, mayMap: undefined, isWanted: () => true };
    for await (const event of runJob(job, cluster.node(at), host)) {
      if (event.kind === 'failed') return event.failure;
      results.push(...event.results);
    }
    return results;
  };
  return cluster.settle(all());
}

const texts = (names: readonly string[]): TermList => names.map(textBinary);

function verbsSeen(cluster: TestCluster, verb: 'map' | 'get'): readonly NodeId[] {
  return cluster.seen.filter(({ request }) => request.verb === verb).map(({ target }) => target);
}

t.test('each object is mapped by one node that holds it, and does not leave it', async (t) => {
  const cluster = await filledCluster();
  cluster.seen.length = 0;
  const job = jsonJob(inputsOf(ALL_NAMES), [VALUES]);
  t.same(await resultsAt(cluster, N1, job), texts(ALL_NAMES), 'results in the order of inputs');
  t.same(verbsSeen(cluster, 'get'), []);
  t.same(new Set(verbsSeen(cluster, 'map')), new Set([N2, N3, N4, N5]));
  const served = cluster.ids.map((id) => cluster.counted(id, 'map_inputs_served'));
  t.equal(
    served.reduce((sum, count) => sum + count, 0),
    KEY_COUNT,
    'once each',
  );
});

t.test('a node that is gone, silent or without a copy is gone round', async (t) => {
  const cluster = await filledCluster();
  const job = jsonJob(inputsOf(ALL_NAMES), [VALUES]);
  cluster.link(N1, N2, { kind: 'cut' });
  t.same(await resultsAt(cluster, N1, job), texts(ALL_NAMES), 'cut off, and not known yet');
  cluster.heal();
  cluster.link(N3, N1, { kind: 'silent' });
  t.same(await resultsAt(cluster, N1, job), texts(ALL_NAMES), 'silent');
  cluster.heal();
  await cluster.untilUp(...cluster.ids);
  cluster.crash(N4);
  cluster.wipe(N4);
  await cluster.restart(N4);
  t.same(await resultsAt(cluster, N1, job), texts(ALL_NAMES), 'with an empty store');
});

t.test('a function is given what its node was writing before', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 3 });
  const teller = new Teller(cluster);
  const key = cluster.keyWhere(([first]) => first === N1);
  await teller.put(N2, key, { text: 'old', w: 3 });
  await untilFilled(cluster);
  const release = cluster.holdWrites(N1);
  const context = contextOf(await teller.get(N2, key));
  t.equal((await teller.put(N2, key, { text: 'new', w: 2, context })).kind, 'stored');
  const mapped = resultsAt(cluster, N1, jsonJob(inputsOf([key.key]), [VALUES]));
  await cluster.time.advance(100);
  release();
  t.same(await mapped, texts(['new']));
});

t.test('nodes of before this request leave the work to the node that was asked', async (t) => {
  const cluster = await filledCluster();
  cluster.unknownVerbs.add('map');
  cluster.seen.length = 0;
  const job = jsonJob(inputsOf(ALL_NAMES), [VALUES, erlangPhase('reduce', 'reduce_count_inputs')]);
  t.same(await resultsAt(cluster, N1, job), [60n]);
  t.equal(verbsSeen(cluster, 'map').length, 4, 'each was asked once, and not again in this job');
});

t.test('keys that were deleted or never were are as an ordinary read finds them', async (t) => {
  const cluster = await filledCluster();
  await new Teller(cluster).delete(N2, { ...cluster.keyWhere(() => true), key: 'k1' as never });
  const ask = (arg: string) => {
    const query = [erlangPhase('map', 'map_object_value', { arg })];
    return resultsAt(cluster, N1, jsonJob(inputsOf(['k0', 'k1', 'never']), query));
  };
  t.same(await ask('filter_notfound'), texts(['k0', '']), 'a tombstone has an empty value');
  t.match(await ask('nonsense'), {
    reason: 'phase',
    error: 'function_clause',
    input: '{{error,notfound},{<<"b">>,<<"never">>},undefined}',
  });
});

t.test('a copy that cannot be read is mapped elsewhere', async (t) => {
  const cluster = await filledCluster();
  const key = { ...cluster.keyWhere(() => true), key: 'k0' as never };
  const [first] = cluster.node(N1).preferenceList(key) ?? [];
  await cluster.corrupt(first?.node as NodeId, key);
  const asked = cluster.ids.find((id) => id !== first?.node) as NodeId;
  t.same(await resultsAt(cluster, asked, jsonJob(inputsOf(['k0']), [VALUES])), texts(['k0']));
});

/** Gives the value and the key data. Counts its calls. */
class ValueScripts implements ScriptEngine {
  callCount = 0;

  open(): ReturnType<ScriptEngine['open']> {
    const call = async (args: string) => {
      this.callCount += 1;
      const [object, data] = JSON.parse(args) as [{ values: [{ data: string }] }, unknown];
      return {
        kind: 'returned',
        json: JSON.stringify([object.values[0].data, data]),
      } as const;
    };
    return { call, close: () => undefined };
  }
}

t.test('JavaScript is run where it is enabled, and else by the node that was asked', async (t) => {
  const query = [{ map: { language: 'javascript', source: 'f' } }];
  for (const ofNodes of [undefined, new ValueScripts()]) {
    const options = ofNodes === undefined ? {} : { scripts: ofNodes };
    const cluster = await TestCluster.start({ nodeCount: 4, ...options });
    await untilFilled(cluster);
    const key = cluster.keyWhere((nodes) => !nodes.includes(N1));
    await new Teller(cluster).put(N1, key, { text: 'v', w: 'all' });
    const scripts = new ValueScripts();
    const job = jsonJob([['b', key.key, 'data']], query);
    t.same(await resultsAt(cluster, N1, job, scripts), texts(['v', 'data']));
    t.same(
      [scripts.callCount, ofNodes?.callCount],
      ofNodes === undefined ? [1, undefined] : [0, 1],
    );
  }
});

t.test('what nobody takes is not asked for', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 2, defaultProperties: { n_val: 1 } });
  const key = cluster.keyWhere(([node]) => node === N2);
  await new Teller(cluster).put(N1, key, { text: 'x'.repeat(2 ** 20) });
  await untilFilled(cluster);
  const phase = jsonJob('b', [VALUES]).phases[0];
  const task = phase?.kind === 'map' ? encodeTask(phase) : undefined;
  const run = cluster.node(N1).mapRun(task, () => 60_000);
  for (let count = 0; count < 40; count += 1) run.add({ key, keyData: undefined });
  await cluster.settle(run.take());
  await cluster.time.advance(1_000);
  const { length } = verbsSeen(cluster, 'map');
  t.ok(length >= 16 && length <= 20, `${length} of 40 results of a mebibyte`);
  for (let count = 1; count < 40; count += 1) {
    const result = await cluster.settle(run.take());
    t.ok(Buffer.isBuffer(result) && result.length > 2 ** 20);
  }
  run.close();
});
