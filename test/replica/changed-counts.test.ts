/** After a new n_val one recount makes the trees exact, whatever was under way, and they stay so. */

import fc from 'fast-check';
import t from 'tap';
import type { ObjectKey } from '../../src/base/names.ts';
import { EMPTY_VERSION_VECTOR } from '../../src/clock/version-vector.ts';
import { openIdentity } from '../../src/replica/identity.ts';
import { STORE_REPLICA_DEFAULTS, StoreReplica } from '../../src/replica/store-replica.ts';
import { SEGMENT_COUNT } from '../../src/storage/hash-tree.ts';
import { content, DOTTED, objectKey, partitionFor } from './replica-world.ts';
import { ShakyStore } from './shaky-store.ts';
import { readTruth } from './store-truth.ts';
import { VirtualHost } from './virtual-host.ts';

const KEYS = ['a', 'b', 'c'].map((name) => objectKey(name));
const ALL_SEGMENTS = Array.from({ length: SEGMENT_COUNT }, (_, segment) => segment);
const OLD_N_VAL = 3;
const NEW_N_VAL = 5;

/** A write of one of the keys, or so many turns in which what is under way goes on. */
type Step =
  | { readonly kind: 'write'; readonly key: number; readonly isPlacedBefore: boolean }
  | { readonly kind: 'pass'; readonly turns: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('write' as const),
    key: fc.nat(KEYS.length - 1),
    isPlacedBefore: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('pass' as const), turns: fc.nat(6) }),
);
const steps = fc.array(step, { maxLength: 4 });

async function openWorld(seed: number) {
  const host = new VirtualHost(seed);
  const store = new ShakyStore(host.random);
  const now = { nVal: OLD_N_VAL };
  const properties = () => ({ ...DOTTED, n_val: now.nVal });
  const identity = await openIdentity(store, host);
  const ports = { store, identity, properties };
  const replica = await StoreReplica.open(host, ports, STORE_REPLICA_DEFAULTS);
  const underWay: Promise<void>[] = [];
  const take = async (steps: readonly Step[]): Promise<void> => {
    for (const step of steps) {
      if (step.kind === 'pass') {
        for (let turn = 0; turn < step.turns; turn += 1) await Promise.resolve();
        continue;
      }
      const key = KEYS[step.key] as ObjectKey;
      const nVal = step.isPlacedBefore ? OLD_N_VAL : now.nVal;
      const placement = { partition: partitionFor(key), properties: { ...DOTTED, n_val: nVal } };
      const write = { context: EMPTY_VERSION_VECTOR, content: content('v') };
      const writing = replica.coordinate(key, placement, write).then(async (outcome) => {
        if (outcome.kind === 'issued') await outcome.durable;
      });
      underWay.push(writing);
    }
  };
  /** As whoever recounts after a change: when all that was given to the store is there. */
  const recount = async (): Promise<void> => {
    await store.write([]);
    const options = { segments: ALL_SEGMENTS, keepPace: async () => true };
    for (const partition of new Set(KEYS.map(partitionFor))) {
      await replica.recountTree(partition, OLD_N_VAL, options);
      await replica.recountTree(partition, NEW_N_VAL, options);
    }
  };
  return { store, properties, now, take, recount, underWay };
}

t.test('a recount after a new n_val makes all trees exact, and they stay so', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.tuple(steps, steps, steps, steps),
      async (seed, [before, between, meanwhile, after]) => {
        const { store, properties, now, take, recount, underWay } = await openWorld(seed);
        await take(before);
        now.nVal = NEW_N_VAL;
        await take(between);
        await Promise.all([recount(), take(meanwhile)]);
        await take(after);
        await Promise.all(underWay);
        await readTruth(store, properties);
      },
    ),
    { numRuns: 50 },
  );
});
