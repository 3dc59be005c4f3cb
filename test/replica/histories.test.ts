/**
 * Random histories: many changes at once, power cuts and restarts, and the laws that must hold.
 *
 * The final copy is the pure merge of everything that was durable or became so; no dot is ever
 * issued twice; index entries, trees and hints agree with the copies.
 */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { keyToString } from '../../src/base/names.ts';
import type { NodeId, ObjectKey } from '../../src/base/names.ts';
import { dotToString, EMPTY_VERSION_VECTOR } from '../../src/clock/version-vector.ts';
import type { Dot, VersionVector } from '../../src/clock/version-vector.ts';
import { causalHash } from '../../src/object/causality.ts';
import { mergeObjects } from '../../src/object/reconcile.ts';
import { decodeRecord } from '../../src/object/record.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import type { CoordinatedOutcome } from '../../src/replica/replica.ts';
import type { StoreReplicaOptions } from '../../src/replica/store-replica.ts';
import {
  content,
  objectKey,
  openReplica,
  placementOf,
  propertiesOf,
  record,
  text,
  TOMBSTONE,
} from './replica-world.ts';
import type { Opened } from './replica-world.ts';
import { ShakyStore } from './shaky-store.ts';
import { readTruth } from './store-truth.ts';
import { VirtualHost } from './virtual-host.ts';

const KEYS: readonly ObjectKey[] = [objectKey('a'), objectKey('b'), objectKey('a', 'single')];
const TARGETS = ['b@host', 'c@host'] as NodeId[];

type Step =
  /** A client's write that has seen one of the states so far. */
  | { readonly kind: 'write'; readonly key: number; readonly seen: number; readonly dead: boolean }
  /** A record of one of the states so far comes from a peer. */
  | { readonly kind: 'merge'; readonly key: number; readonly from: number; readonly hint: number }
  /** Another node, which has merged one of the states so far, writes. */
  | { readonly kind: 'foreign'; readonly key: number; readonly from: number }
  | { readonly kind: 'hint'; readonly key: number; readonly hint: number }
  | { readonly kind: 'settle'; readonly key: number; readonly hint: number; readonly drop: boolean }
  | { readonly kind: 'reap'; readonly key: number; readonly from: number }
  | { readonly kind: 'wait' }
  | { readonly kind: 'restart' }
  | { readonly kind: 'crash' };

const state = fc.nat({ max: 1000 });

function steps(removes: boolean): fc.Arbitrary<Step[]> {
  // What is removed must come back to the same key to do harm.
  const hint = fc.integer({ min: -1, max: removes ? 0 : TARGETS.length - 1 });
  const key = removes ? fc.constant(0) : fc.nat({ max: KEYS.length - 1 });
  const common: fc.WeightedArbitrary<Step>[] = [
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('write' as const),
        key,
        seen: state,
        dead: fc.boolean(),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('merge' as const), key, from: state, hint }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('foreign' as const), key, from: state }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('hint' as const), key, hint }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'wait' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
  ];
  const removing: fc.WeightedArbitrary<Step>[] = [
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('settle' as const),
        key,
        hint: fc.constant(0),
        drop: fc.constant(true),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('reap' as const), key, from: state }) },
  ];
  const all = removes ? [...common, ...removing] : common;
  return fc.array(fc.oneof(...all), { minLength: removes ? 25 : 0, maxLength: 50, size: 'max' });
}

/** Plays a history on a replica that is killed and started again. */
class Player {
  readonly host: VirtualHost;
  store: ShakyStore;
  opened: Opened | undefined;
  /** Every state of a key that anyone ever held, whether it was durable or not. */
  readonly states: StoredObject[][] = KEYS.map(() => []);
  /** What was acknowledged, by key. */
  readonly acknowledged: StoredObject[][] = KEYS.map(() => []);
  readonly hinted = new Set<string>();
  readonly #dots = new Set<string>();
  readonly #foreign: Opened[] = [];
  #underWay: Promise<unknown>[] = [];

  /** Heads come from memory, from the store, or now one and now the other. */
  readonly #options: Partial<StoreReplicaOptions>;

  constructor(seed: number) {
    const records = [16, 1, 0][Math.abs(seed) % 3] ?? 0;
    this.#options = { recentHeadsMax: records, recentRecordsMaxBytes: records * 400 };
    this.host = new VirtualHost(seed);
    this.store = new ShakyStore(this.host.random);
  }

  async play(step: Step): Promise<void> {
    this.opened ??= await openReplica(this.host, this.store, this.#options);
    const { replica, identity } = this.opened;
    switch (step.kind) {
      case 'write':
        return this.#write(step);
      case 'foreign':
        return this.#writeElsewhere(step.key, step.from);
      case 'merge':
        return this.#merge(step);
      case 'hint': {
        const target = TARGETS[step.hint];
        if (target !== undefined) this.#launch(this.#hint(step.key, target));
        return undefined;
      }
      case 'settle': {
        const target = TARGETS[step.hint];
        // Only a copy at rest can be confirmed as it is.
        await this.wait();
        if (target !== undefined) this.#launch(this.#settle(step.key, target, step.drop));
        return undefined;
      }
      case 'reap': {
        const tombstone = this.#state(step.key, step.from);
        const { key, placement } = at(step.key);
        if (tombstone === undefined) return undefined;
        this.#launch(replica.reap(key, placement, causalHash(tombstone)));
        return undefined;
      }
      case 'wait':
        return this.wait();
      case 'restart':
        await this.wait();
        await replica.close();
        await identity.close();
        this.opened = undefined;
        return undefined;
      case 'crash':
        this.store = this.store.crash();
        this.opened = undefined;
        this.#underWay = [];
        return undefined;
    }
  }

  async wait(): Promise<void> {
    await Promise.all(this.#underWay.splice(0));
  }

  #launch(change: Promise<unknown>): void {
    this.#underWay.push(change);
  }

  #state(key: number, index: number): StoredObject | undefined {
    const states = this.states[key] ?? [];
    return states[index % (states.length + 1)];
  }

  async #write(step: Step & { readonly kind: 'write' }): Promise<void> {
    const { key, placement } = at(step.key);
    const seen: VersionVector = this.#state(step.key, step.seen)?.context ?? EMPTY_VERSION_VECTOR;
    const value = `value ${this.host.random.integer(1000)}`;
    const indexes = [{ field: text('age_int'), term: text(String(value.length * 7 - 70)) }];
    const written = step.dead ? TOMBSTONE : content(value, indexes);
    const { replica } = this.opened as Opened;
    const write = replica.coordinate(key, placement, { context: seen, content: written });
    this.#launch(write.then((outcome) => this.#onIssued(step.key, outcome)));
    await Promise.resolve();
  }

  async #onIssued(key: number, outcome: CoordinatedOutcome): Promise<void> {
    assert(outcome.kind === 'issued');
    const { object } = outcome;
    assert.deepEqual(causalHash(decodeRecord(outcome.record) ?? object), causalHash(object));
    this.states[key]?.push(object);
    this.#claim(key, newestDot(object, this.#dots, key));
    await outcome.durable;
    this.acknowledged[key]?.push(object);
  }

  /** Fails if this dot has been issued before. */
  #claim(key: number, dot: Dot | undefined): void {
    assert(dot !== undefined, 'a write has a dot that no write before it had');
    this.#dots.add(`${key}/${dotToString(dot)}`);
  }

  async #writeElsewhere(index: number, from: number): Promise<void> {
    const { key, placement } = at(index);
    const elsewhere = await this.#foreignReplica();
    const known = this.#state(index, from);
    if (known !== undefined) {
      await elsewhere.replica.merge(key, placement, record(known), undefined);
    }
    const write = { context: known?.context ?? EMPTY_VERSION_VECTOR, content: content('foreign') };
    const outcome = await elsewhere.replica.coordinate(key, placement, write);
    assert(outcome.kind === 'issued');
    await outcome.durable;
    this.states[index]?.push(outcome.object);
    for (const { dot } of outcome.object.siblings) this.#dots.add(`${index}/${dotToString(dot)}`);
  }

  async #foreignReplica(): Promise<Opened> {
    if (this.#foreign.length === 0) {
      const host = new VirtualHost(this.host.random.integer(2 ** 30));
      this.#foreign.push(await openReplica(host, new ShakyStore(host.random)));
    }
    return this.#foreign[0] as Opened;
  }

  async #merge(step: Step & { readonly kind: 'merge' }): Promise<void> {
    const object = this.#state(step.key, step.from);
    if (object === undefined) return;
    const { key, placement } = at(step.key);
    const target = TARGETS[step.hint];
    const { replica } = this.opened as Opened;
    const merge = replica.merge(key, placement, record(object), target);
    this.#launch(
      merge.then(() => {
        this.acknowledged[step.key]?.push(object);
        if (target !== undefined) this.hinted.add(`${target}/${keyToString(key)}`);
      }),
    );
    await Promise.resolve();
  }

  async #hint(index: number, target: NodeId): Promise<void> {
    const { key, placement } = at(index);
    const { replica } = this.opened as Opened;
    await replica.addHint({ target, key, partition: placement.partition });
    this.hinted.add(`${target}/${keyToString(key)}`);
  }

  async #settle(index: number, target: NodeId, drop: boolean): Promise<void> {
    const { key, placement } = at(index);
    const { replica } = this.opened as Opened;
    const known = await replica.getRecord(key, placement.partition, false);
    if (known === undefined) return;
    await replica.settleHint({ target, key, partition: placement.partition }, known, drop);
  }
}

function at(index: number) {
  const key = KEYS[index] as ObjectKey;
  return { key, placement: placementOf(key) };
}

/** The dot of the sibling that is new; a write's sibling cannot be superseded at once. */
function newestDot(object: StoredObject, seen: ReadonlySet<string>, key: number): Dot | undefined {
  const fresh = object.siblings.filter(({ dot }) => !seen.has(`${key}/${dotToString(dot)}`));
  return fresh.at(-1)?.dot;
}

function mergeAll(objects: readonly StoredObject[]): StoredObject | undefined {
  return objects.reduce<StoredObject | undefined>((merged, object) => {
    return merged === undefined ? object : mergeObjects(merged, object);
  }, undefined);
}

t.test(
  'without removals the copy is the merge of all that was acknowledged, or more',
  async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), steps(false), async (seed, history) => {
        const player = new Player(seed);
        for (const step of history) await player.play(step);
        await player.wait();
        const truth = await readTruth(player.store, propertiesOf);
        for (const [index, key] of KEYS.entries()) {
          const held = truth.objects.get(keyToString(key))?.object;
          const acknowledged = mergeAll(player.acknowledged[index] ?? []);
          if (acknowledged === undefined) continue;
          assert(held !== undefined, 'what was acknowledged is held');
          const together = mergeObjects(held, acknowledged);
          assert.deepEqual(causalHash(together), causalHash(held), 'and nothing of it is missing');
        }
        for (const hint of player.hinted) assert(truth.hints.has(hint), 'hints are kept');
      }),
      { numRuns: 150 },
    );
    t.pass('in every history');
  },
);

t.test('without crashes the copy is exactly the merge of all that was acknowledged', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), steps(false), async (seed, history) => {
      const player = new Player(seed);
      for (const step of history) if (step.kind !== 'crash') await player.play(step);
      await player.wait();
      const truth = await readTruth(player.store, propertiesOf);
      for (const [index, key] of KEYS.entries()) {
        const held = truth.objects.get(keyToString(key))?.object;
        const expected = mergeAll(player.acknowledged[index] ?? []);
        assert.deepEqual(held && causalHash(held), expected && causalHash(expected));
      }
    }),
    { numRuns: 100 },
  );
  t.pass('in every history');
});

t.test('whatever is dropped, reaped and brought back, no dot is issued twice', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), steps(true), async (seed, history) => {
      const player = new Player(seed);
      for (const step of history) await player.play(step);
      await player.wait();
      await readTruth(player.store, propertiesOf);
    }),
    { numRuns: 300 },
  );
  t.pass('in every history');
});
