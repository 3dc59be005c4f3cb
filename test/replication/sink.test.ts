/**
 * The sink: what it acknowledges and when, what it does with what it cannot take, and how it ends.
 */

import t from 'tap';
import type { Test } from 'tap';
import type { Host, Log } from '../../src/base/host.ts';
import type { NodeId } from '../../src/base/names.ts';
import type { AbsorbOutcome, AbsorbRequest } from '../../src/coordinator/absorb.ts';
import { DIALLER } from '../../src/replication/dialler.ts';
import type { ReplicationNode, Source } from '../../src/replication/ports.ts';
import { Sink } from '../../src/replication/sink.ts';
import { MetricsRegistry } from '../../src/telemetry/metrics-registry.ts';
import { SystemClock, SystemRandom } from '../../src/telemetry/system-host.ts';
import { until } from '../api/pbc/served.ts';
import { FakeSource, QUEUE } from './fake-source.ts';

const MERGED: AbsorbOutcome = { kind: 'merged' };
const TIMINGS = {
  absorbTimeoutMs: 1_000,
  pauseFirstMs: 5,
  pauseMaxMs: 20,
  patienceMs: 60_000,
  roundMs: 60_000,
};

/** A cluster that does with each key what the test says. */
class FakeNode implements ReplicationNode {
  readonly id = 'n1@a' as NodeId;
  readonly absorbed: string[] = [];
  answer: (key: string) => AbsorbOutcome | Promise<AbsorbOutcome> = () => MERGED;

  async absorb({ key }: AbsorbRequest): Promise<AbsorbOutcome> {
    const outcome = await this.answer(key.key);
    if (outcome.kind === 'merged') this.absorbed.push(key.key);
    return outcome;
  }

  isRemoved = false;

  isMember(): boolean {
    return !this.isRemoved;
  }

  liveMembers(): readonly NodeId[] {
    return [this.id];
  }

  fold(): never {
    throw new Error('nothing is compared here');
  }
}

interface Setting {
  readonly node: FakeNode;
  readonly sink: Sink;
  readonly sources: readonly FakeSource[];
  readonly logged: string[];
}

async function setUp(
  t: Test,
  { sourceCount = 1, workers = 1, queue = QUEUE, timings = TIMINGS } = {},
): Promise<Setting> {
  const sources = await Promise.all(Array.from({ length: sourceCount }, () => FakeSource.listen()));
  const node = new FakeNode();
  const logged: string[] = [];
  const note = (event: string): void => {
    logged.push(event);
  };
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const clock = new SystemClock();
  const metrics = new MetricsRegistry(clock);
  const host: Host = { clock, random: new SystemRandom(), metrics, log };
  const source: Source = {
    name: 'a',
    queue,
    nodes: sources.map(({ address }) => address),
    credentials: undefined,
    workers,
    fullSyncMs: 0,
  };
  const sink = new Sink({ host, node, dialler: DIALLER }, source, timings);
  t.teardown(async () => {
    await sink.stop();
    for (const each of sources) each.close();
    metrics.close();
  });
  const start = (): void => {
    sink.start((error) => {
      throw error;
    });
  };
  start();
  return { node, sink, sources, logged };
}

function keys(count: number, prefix = 'k'): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

t.test('everything of every node is absorbed, and then acknowledged', async (t) => {
  const { node, sink, sources } = await setUp(t, { sourceCount: 3, workers: 2 });
  for (const [index, source] of sources.entries()) source.waiting = keys(25, `n${index}-`);
  await until(() => sources.every(({ acknowledged }) => acknowledged.length === 25));
  t.same([...node.absorbed].sort(), sources.flatMap((_, index) => keys(25, `n${index}-`)).sort());
  t.match(sink.status(), { absorbed: 75, refused: {}, retried: 0, isPaused: false });
  t.ok(sources.every(({ connections }) => connections <= 2));
});

t.test('nothing is acknowledged before all of its lot is safe', async (t) => {
  const { node, sink, sources } = await setUp(t);
  const [source] = sources as [FakeSource];
  let tries = 0;
  node.answer = (key) => {
    if (key !== 'k3') return MERGED;
    tries += 1;
    return tries > 20 ? MERGED : { kind: 'overload' };
  };
  source.waiting = keys(5);
  await until(() => tries > 10);
  t.same(source.acknowledged, []);
  await until(() => source.acknowledged.length === 5);
  t.equal(sink.status().retried, 20);
});

t.test('what cannot be taken for long is given back, and holds up nothing else', async (t) => {
  const { node, sink, sources } = await setUp(t, { timings: { ...TIMINGS, patienceMs: 60 } });
  const [source] = sources as [FakeSource];
  let isWell = false;
  node.answer = (key) => (key === 'k0' && !isWell ? { kind: 'timeout' } : MERGED);
  source.waiting = keys(30);
  await until(() => source.pushed.length > 2);
  t.same([...new Set(source.pushed)], ['k0']);
  t.equal(source.pushedAgesMs.length, 1);
  t.ok((source.pushedAgesMs[0] ?? 0) >= 1_500, 'it goes on being as old as it is');
  t.equal(node.absorbed.length, 29);
  isWell = true;
  await until(() => node.absorbed.includes('k0'));
  t.ok(sink.status().givenBack > 2);
});

t.test('the lag is at least the age of what cannot be taken', async (t) => {
  const { node, sink, sources } = await setUp(t);
  const [source] = sources as [FakeSource];
  let isWell = false;
  node.answer = () => (isWell ? MERGED : { kind: 'timeout' });
  source.waiting = keys(1, 'sync');
  await until(() => sink.lagMs() >= 1_500);
  isWell = true;
  await until(() => sink.lagMs() === 0);
  t.same(node.absorbed, ['sync0']);
});

t.test('a node that was removed from its cluster leaves the queues to others', async (t) => {
  const { node, sink, sources } = await setUp(t, { workers: 2 });
  const [source] = sources as [FakeSource];
  await until(() => source.fetches > 0);
  node.isRemoved = true;
  await until(() => source.connections === 0);
  source.waiting = keys(5);
  const { fetches } = source;
  // Other nodes of its cluster fetch from the same queues.
  t.same([source.fetches, source.waiting.length, sink.lagMs()], [fetches, 5, 0]);
  node.isRemoved = false;
  await until(() => source.acknowledged.length === 5);
});

t.test('what can never be taken is counted, told by its bucket, and passed over', async (t) => {
  const { node, sink, sources, logged } = await setUp(t);
  const [source] = sources as [FakeSource];
  const odd: Record<string, AbsorbOutcome> = {
    k0: { kind: 'damaged' },
    k1: { kind: 'unknown-bucket-type', type: 'x' as never },
    k2: { kind: 'too-large', sizeBytes: 1 },
    k3: { kind: 'damaged' },
    k4: { kind: 'unchanged-tombstone' },
  };
  node.answer = (key) => odd[key] ?? MERGED;
  source.waiting = keys(6);
  await until(() => source.acknowledged.length === 6);
  t.match(sink.status(), {
    absorbed: 1,
    unchanged: 1,
    refused: { damaged: 2, 'unknown-bucket-type': 1, 'too-large': 1 },
  });
  t.equal(logged.filter((event) => event === 'replication.refused').length, 3, 'once a bucket');
});

t.test('what was damaged on the way is asked for again', async (t) => {
  const { node, sources } = await setUp(t);
  const [source] = sources as [FakeSource];
  source.broken = Buffer.from('nonsense');
  source.waiting = keys(3);
  await until(() => source.acknowledged.length === 3);
  t.same([...node.absorbed].sort(), keys(3));
});

t.test('a connection that broke costs nothing but a second time', async (t) => {
  const { node, sources, logged } = await setUp(t);
  const [source] = sources as [FakeSource];
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  node.answer = async () => {
    await held;
    return MERGED;
  };
  source.waiting = keys(10);
  await until(() => source.waiting.length === 0 && source.connections === 1);
  source.cut();
  release();
  await until(() => source.acknowledged.length === 10);
  t.same([...new Set(node.absorbed)].sort(), keys(10));
  await until(() => logged.includes('replication.source-answers'));
  t.equal(logged.filter((event) => event === 'replication.source-failed').length, 1);
});

t.test('a node that is away holds up no other, and is seen in the lag', async (t) => {
  const { node, sink, sources } = await setUp(t, {
    sourceCount: 2,
    timings: { ...TIMINGS, roundMs: 100 },
  });
  const [away, there] = sources as [FakeSource, FakeSource];
  away.close();
  there.waiting = keys(40);
  await until(() => there.acknowledged.length === 40);
  t.equal(node.absorbed.length, 40);
  await until(() => sink.status().nodes[0]?.trouble !== undefined);
  t.match(sink.status().nodes[0]?.trouble, /cannot be reached|was lost/);
  t.equal(sink.status().nodes[1]?.trouble, undefined);
  await until(() => sink.lagMs() > 300);
});

t.test('a queue that the source does not have is told, not taken for an empty one', async (t) => {
  const { sink, sources, logged } = await setUp(t, { queue: 'another' });
  await until(() => logged.includes('replication.source-failed'));
  t.equal(sink.status().nodes[0]?.trouble, 'There is no queue another');
  t.equal(sources[0]?.fetches, 0);
});

t.test('the lag is of clients’ writes, and nothing while there is nothing', async (t) => {
  const { node, sink, sources } = await setUp(t);
  const [source] = sources as [FakeSource];
  let seenMs = 0;
  let syncMs = -1;
  node.answer = (key) => {
    if (key === 'k1') seenMs = sink.lagMs();
    if (key === 'last') syncMs = sink.lagMs();
    return MERGED;
  };
  source.lotMax = 1;
  source.waiting = ['sync', 'last', 'k0', 'k1'];
  await until(() => source.acknowledged.length === 4);
  t.equal(syncMs, 0);
  t.ok(seenMs >= 1_500, `${seenMs}`);
  await until(() => sink.lagMs() === 0);
});

t.test('a pause gives back what is out, and ends', async (t) => {
  const { node, sink, sources } = await setUp(t);
  const [source] = sources as [FakeSource];
  source.waiting = keys(3);
  await until(() => source.acknowledged.length === 3);
  sink.pause();
  await until(() => source.connections === 0);
  source.waiting = keys(2, 'later');
  t.ok(sink.status().isPaused);
  sink.resume();
  await until(() => source.acknowledged.length === 5);
  t.equal(node.absorbed.length, 5);
});

t.test('a stop waits for nothing that may take long, and the source keeps all', async (t) => {
  const { node, sink, sources } = await setUp(t, { workers: 3 });
  const [source] = sources as [FakeSource];
  node.answer = () => ({ kind: 'overload' });
  source.waiting = keys(25);
  await until(() => source.waiting.length === 0);
  await sink.stop();
  await until(() => source.connections === 0);
  t.same([...source.waiting].sort(), keys(25).sort());
  t.same(source.acknowledged, []);
});
