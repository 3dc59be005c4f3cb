/** Anti-entropy: replicas that differ, in whatever way, come to hold the same. */

import fc from 'fast-check';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { Fault } from '../../src/base/fault.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import { causalHash } from '../../src/object/causality.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import { ANTI_ENTROPY_DEFAULTS, AntiEntropy } from '../../src/repair/anti-entropy.ts';
import type { AntiEntropyOptions } from '../../src/repair/anti-entropy.ts';
import { Halt } from '../../src/repair/halt.ts';
import { Reaper } from '../../src/repair/reaper.ts';
import { encodeObjectKey } from '../../src/storage/keys.ts';
import {
  objectKey,
  partitionFor,
  placementOf,
  TOMBSTONE,
  valuesOf,
} from '../replica/replica-world.ts';
import { RepairCluster } from './repair-cluster.ts';
import type { RepairNode } from './repair-cluster.ts';

const AT_ONCE: AntiEntropyOptions = {
  ...ANTI_ENTROPY_DEFAULTS,
  pauseMs: 0,
  settleMs: 0,
  bytesPerSecond: Infinity,
};

function antiEntropyOf(node: RepairNode, options: Partial<AntiEntropyOptions> = {}): AntiEntropy {
  return new AntiEntropy(node.ports, { ...AT_ONCE, ...options });
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it is there');
  return value;
}

/** Flips a bit of a stored record; `at` counts from its end if it is negative. */
async function damage({ store }: RepairNode, key: ObjectKey, at: number): Promise<void> {
  const entry = encodeObjectKey(partitionFor(key), key);
  const bytes = Buffer.from(must(await store.memory.get(entry)));
  const offset = at < 0 ? bytes.length + at : at;
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
  await store.memory.write([{ kind: 'put', key: entry, head: bytes }]);
}

/** Whether all nodes hold the same copy of every key of which they are replicas. */
async function haveConverged(cluster: RepairCluster): Promise<boolean> {
  const truths = await cluster.truths();
  const hashes = new Map<ByteString, Set<string>>();
  for (const [index, truth] of truths.entries()) {
    const node = must(cluster.nodes[index]);
    for (const [id, { key, object }] of truth.objects) {
      if (!cluster.primaries(key).includes(node)) return false;
      const seen = hashes.get(id) ?? new Set<string>();
      hashes.set(id, seen.add(causalHash(object).toString('hex')));
    }
    for (const id of hashes.keys()) {
      const key = truths.map(({ objects }) => objects.get(id)?.key).find((found) => found);
      if (cluster.primaries(must(key)).includes(node) && !truth.objects.has(id)) return false;
    }
  }
  return [...hashes.values()].every(({ size }) => size === 1);
}

type Step =
  | { readonly kind: 'write'; readonly key: number; readonly at: number; readonly seen: number }
  | { readonly kind: 'delete'; readonly key: number; readonly at: number; readonly seen: number }
  | { readonly kind: 'send'; readonly key: number; readonly from: number; readonly to: number }
  | { readonly kind: 'lose'; readonly key: number; readonly at: number };

const keyIndex = fc.nat({ max: 9 });
const replicaIndex = fc.nat({ max: 2 });
const seen = fc.nat({ max: 1000 });

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('write' as const), key: keyIndex, at: replicaIndex, seen }),
  fc.record({ kind: fc.constant('delete' as const), key: keyIndex, at: replicaIndex, seen }),
  fc.record({
    kind: fc.constant('send' as const),
    key: keyIndex,
    from: replicaIndex,
    to: replicaIndex,
  }),
  fc.record({ kind: fc.constant('lose' as const), key: keyIndex, at: replicaIndex }),
);

t.test('one round of every node makes all replicas equal, whatever they had', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.boolean(), async (steps, atOnce) => {
      const cluster = await RepairCluster.open(4);
      const states: StoredObject[][] = [];
      for (const { key: index, ...what } of steps) {
        const key = objectKey(`key ${index}`);
        const held = (states[index] ??= []);
        const primaries = cluster.primaries(key);
        if (what.kind === 'send') {
          const object = await must(primaries[what.from]).get(key);
          if (object !== undefined) await must(primaries[what.to]).merge(key, object);
          continue;
        }
        const node = must(primaries[what.at]);
        if (what.kind === 'lose') {
          // A torn disk: what the copy's other entries say does not matter here.
          const object = await node.get(key);
          const placement = { partition: partitionFor(key), key, target: node.id };
          const record = await node.replica.getRecord(key, placement.partition, false);
          if (object !== undefined) await node.replica.settleHint(placement, record, true);
          continue;
        }
        const context = held[what.seen % (held.length + 1)]?.context;
        const written = what.kind === 'delete' ? TOMBSTONE : `value ${held.length}`;
        held.push(await node.write(key, written, context));
      }
      const rounds = cluster.nodes.map((node) => antiEntropyOf(node));
      if (atOnce) await Promise.all(rounds.map((round) => round.runRound()));
      else for (const round of rounds) await round.runRound();
      return haveConverged(cluster);
    }),
    { numRuns: 60 },
  );
  t.pass('in every history');
});

t.test('equal replicas exchange nothing but their trees', async (t) => {
  const cluster = await RepairCluster.open(3);
  const key = objectKey('k');
  const object = await must(cluster.nodes[0]).write(key, 'v');
  for (const node of cluster.nodes.slice(1)) await node.merge(key, object);
  const verbs = new Set<string>();
  cluster.onRequest = (_source, _target, request) => {
    verbs.add(request.verb);
  };
  const antiEntropy = antiEntropyOf(must(cluster.nodes[0]));
  const result = await antiEntropy.runRound();
  t.same([...verbs], ['tree']);
  t.match(result, { exchanges: 16, failed: 0, skipped: 0, segments: 0, isComplete: true });
  t.match(antiEntropy.status(), { isRunning: false, roundCount: 1, lastRound: result });
});

t.test('a node that lost everything has everything back after its own round', async (t) => {
  const cluster = await RepairCluster.open(3);
  const [full, empty] = [must(cluster.nodes[0]), must(cluster.nodes[1])];
  const keys = Array.from({ length: 300 }, (_, index) => objectKey(`key ${index}`));
  await Promise.all(keys.map((key) => full.write(key, `value of ${key.key}`)));
  const result = await antiEntropyOf(empty).runRound();
  t.equal(result.pulled, 300);
  for (const key of keys) t.same(valuesOf(await empty.get(key)), [`value of ${key.key}`]);
});

t.test('a peer that is down is left out, and one that breaks off is tried again', async (t) => {
  const cluster = await RepairCluster.open(3);
  const [self, down, shaky] = cluster.nodes.map(must);
  await must(self).write(objectKey('k'), 'v');
  must(down).isUp = false;
  cluster.onRequest = (_source, _target, { verb }) => {
    if (verb === 'deliver') throw new Fault('peer-closed', 'the link broke');
  };
  const antiEntropy = antiEntropyOf(must(self));
  const cut = await antiEntropy.runRound();
  t.match(cut, { failed: 1, skipped: 8, exchanges: 8, isComplete: false });
  t.equal(await must(shaky).get(objectKey('k')), undefined);
  cluster.onRequest = () => {};
  t.match(await antiEntropy.runRound(), { failed: 0, pushed: 1 });
  t.same(valuesOf(await must(shaky).get(objectKey('k'))), ['v']);
});

t.test('an object that is refused does not keep the others from being healed', async (t) => {
  const cluster = await RepairCluster.open(3);
  const [self, peer] = cluster.nodes.map(must);
  for (const name of ['a', 'b', 'c']) await must(self).write(objectKey(name), name);
  for (const node of cluster.nodes) {
    node.place = (key) => {
      if (key.key === 'b') throw new Fault('peer-refused', 'the bucket type is unknown');
      return placementOf(key);
    };
  }
  const result = await antiEntropyOf(must(self)).runRound();
  t.match(result, { pushed: 4, failed: 0 });
  t.same(valuesOf(await must(peer).get(objectKey('c'))), ['c']);
});

t.test('what differs for a moment only is not gone through', async (t) => {
  const cluster = await RepairCluster.open(3);
  const [self, peer, third] = cluster.nodes.map(must);
  const object = await must(self).write(objectKey('k'), 'v');
  await must(third).merge(objectKey('k'), object);
  const round = antiEntropyOf(must(self), { settleMs: 500 }).runRound();
  await cluster.host.advance(400);
  await must(peer).merge(objectKey('k'), object);
  await cluster.host.advance(200);
  t.match(await round, { segments: 0, pushed: 0, isComplete: true });
});

t.test('a damaged copy is brought back from a peer', async (t) => {
  const cluster = await RepairCluster.open(3);
  const [self, peer, third] = cluster.nodes.map(must);
  const key = objectKey('k');
  const object = await must(self).write(key, 'v');
  for (const node of [must(peer), must(third)]) await node.merge(key, object);
  await damage(must(self), key, 20);
  t.equal(await must(self).get(key), undefined);

  // Its tree still counts it, so only a read can find it; the next write mends it.
  const newer = await must(self).write(key, 'w', object.context);
  for (const node of [must(peer), must(third)]) await node.merge(key, newer);
  t.same(valuesOf(await must(self).get(key)), ['w']);
  // Now the tree counts both, which is found in the second round and mended in it.
  await t.rejects(cluster.truths(), /counts exactly/);
  const antiEntropy = antiEntropyOf(must(self));
  t.match(await antiEntropy.runRound(), { corrected: 0, segments: 2 });
  t.match(await antiEntropy.runRound(), { corrected: 1 });
  await cluster.truths();
  t.match(await antiEntropy.runRound(), { segments: 0 });
});

t.test('a peer whose newer copy is damaged is given the older one', async (t) => {
  const cluster = await RepairCluster.open(3);
  const [self, peer] = cluster.nodes.map(must);
  const key = objectKey('k');
  const object = await must(self).write(key, 'v1');
  await must(peer).merge(key, object);
  await must(peer).write(key, 'v2', object.context);
  await damage(must(peer), key, -1);
  const other = await must(self).write(objectKey('other'), 'other');
  const result = await antiEntropyOf(must(self)).runRound();
  t.match(result, { failed: 0 });
  t.same(valuesOf(await must(peer).get(key)), ['v1']);
  t.same(valuesOf(await must(peer).get(objectKey('other'))), valuesOf(other));
  await cluster.truths();
});

t.test('a full round finds what was lost behind the back of the trees', async (t) => {
  const cluster = await RepairCluster.open(3);
  const [self, peer] = cluster.nodes.map(must);
  const keys = Array.from({ length: 20 }, (_, index) => objectKey(`key ${index}`));
  for (const key of keys) await must(self).write(key, `value of ${key.key}`);
  await antiEntropyOf(must(peer)).runRound();
  const lost = must(keys[0]);
  const partition = partitionFor(lost);
  await must(peer).store.memory.write([{ kind: 'remove', key: encodeObjectKey(partition, lost) }]);
  const antiEntropy = antiEntropyOf(must(peer));
  t.match(await antiEntropy.runRound(), { pulled: 0 });
  const steps: number[] = [];
  const scope = { partitions: new Set([partition]), isFull: true };
  const full = await antiEntropy.runRound(new Halt(), scope, ({ done }) => steps.push(done));
  t.match(full, { pulled: 1, exchanges: 2 });
  t.same(steps, [0, 1, 2]);
  t.same(valuesOf(await must(peer).get(lost)), [`value of ${lost.key}`]);
});

t.test('rounds follow each other in the background, until they are stopped', async (t) => {
  const cluster = await RepairCluster.open(3);
  const antiEntropy = antiEntropyOf(must(cluster.nodes[0]), { restMs: 1000 });
  antiEntropy.start();
  await cluster.host.advance(3500);
  t.equal(antiEntropy.status().roundCount, 3);
  await antiEntropy.stop();
  await antiEntropy.stop();
  await cluster.host.advance(3000);
  t.equal(antiEntropy.status().roundCount, 3);
  t.equal(cluster.host.timerCount, 0);
});

t.test('a halt ends a round at its next step', async (t) => {
  const cluster = await RepairCluster.open(3);
  const halt = new Halt();
  const round = antiEntropyOf(must(cluster.nodes[0]), { pauseMs: 1000 }).runRound(halt);
  await cluster.host.advance(2500);
  halt.set();
  t.match(await round, { exchanges: 3, isComplete: false });
});

t.test('what is deleted and reaped while fetched copies wait is not brought back', async (t) => {
  const cluster = await RepairCluster.open(3);
  const keys = Array.from({ length: 100 }, (_, index) => objectKey(`key ${index}`));
  const partition = partitionFor(must(keys[0]));
  const deleted = keys.filter((key) => partitionFor(key) === partition).slice(0, 4);
  const [first, second, third] = cluster.primaries(must(deleted[0])).map(must);
  const lives = new Map<ObjectKey, StoredObject>();
  for (const key of deleted) {
    const live = await must(second).write(key, 'x'.repeat(5_000));
    await must(third).merge(key, live);
    lives.set(key, live);
  }
  const antiEntropy = antiEntropyOf(must(first), { bytesPerSecond: 1, batchMax: 1 });
  const round = antiEntropy.runRound(new Halt(), { partitions: new Set([partition]) });
  await cluster.host.advance(1_000);
  for (const key of deleted) {
    const dead = await must(second).write(key, TOMBSTONE, lives.get(key)?.context);
    for (const node of [must(first), must(third)]) await node.merge(key, dead);
    t.ok(await new Reaper(must(second).ports).reap(key));
  }
  // So long that nobody remembers it.
  for (let hour = 0; hour < 24; hour += 1) await cluster.host.advance(3_600_000);
  await round;
  for (const key of deleted) {
    for (const node of cluster.nodes) t.equal(await node.get(key), undefined);
  }
});
