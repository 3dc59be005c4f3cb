/**
 * Lives of one replica, on the real store and its value log over simulated files: clients, peers and repairs
 * at once, by chance; crashes at any step of the disk, failed writes, restarts, and damage.
 *
 * What reads and scans see on the way is judged at once, the store as a whole in the end.
 */

import assert from 'node:assert/strict';
import { bytesToByteString, type ByteString } from '../../src/base/bytes.ts';
import { isFault } from '../../src/base/fault.ts';
import { keyToString } from '../../src/base/names.ts';
import type { NodeId, ObjectKey, Partition } from '../../src/base/names.ts';
import { EMPTY_VERSION_VECTOR } from '../../src/clock/version-vector.ts';
import { causalHash } from '../../src/object/causality.ts';
import { decodeRecord, recordCausalHash } from '../../src/object/record.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import { openIdentity } from '../../src/replica/identity.ts';
import type { Identity } from '../../src/replica/identity.ts';
import { STORE_REPLICA_DEFAULTS, StoreReplica } from '../../src/replica/store-replica.ts';
import { ALL_SEGMENTS } from '../../src/storage/hash-tree.ts';
import { isWellFormedKey } from '../../src/storage/key-form.ts';
import { decodeLogSegmentKey, encodeObjectKey } from '../../src/storage/keys.ts';
import type { LevelDbStore } from '../../src/storage/leveldb-store.ts';
import { placeOf } from '../../src/storage/stored-value.ts';
import { Power } from '../storage/power.ts';
import { SimulatedFiles } from '../storage/simulated-files.ts';
import { Elsewhere, flipped, newModels, pause, TARGETS } from './life-models.ts';
import type { KeyModel } from './life-models.ts';
import {
  content,
  placementOf,
  propertiesOf,
  record,
  RING_SIZE,
  text,
  TOMBSTONE,
} from './replica-world.ts';
import { readTruth } from './store-truth.ts';
import { settle, VirtualHost } from './virtual-host.ts';

const LOG = {
  inlineMaxBytes: 12,
  segmentSizeBytes: 900,
  wasteRatioMax: 0.3,
  isKey: isWellFormedKey,
};
const AGE = text('age_int');
const N_VAL = 3;
/** No crash comes before: nothing is under way then. */
const STEPS_OF_START_MAX = 500;
export const PARTITIONS = Array.from({ length: RING_SIZE }, (_, index) => index as Partition);

/** One process. */
interface Process {
  readonly host: VirtualHost;
  readonly power: Power;
  readonly store: LevelDbStore;
  readonly identity: Identity;
  readonly replica: StoreReplica;
}

/** One thing that happens, and how often beside the others. */
interface Deed {
  readonly weight: number;
  readonly name: string;
  /** Of this key, in this process; what it gives is awaited by nobody but the judge. */
  readonly run: (model: KeyModel, process: Process) => Promise<void>;
  /** Whether the next deed comes when this one has ended. */
  readonly isAwaited?: boolean;
}

export class Life {
  readonly counts = new Map<string, number>();
  readonly #chance: VirtualHost;
  readonly #seed: number;
  readonly #files: SimulatedFiles;
  readonly #models = newModels();
  readonly #elsewhere: Elsewhere;
  readonly #underWay = new Set<Promise<void>>();
  readonly #failures: unknown[] = [];
  #process: Process | undefined;
  #processCount = 0;
  #serial = 0;
  #isHarmed = false;
  #isHealing = false;

  constructor(seed: number) {
    this.#seed = seed;
    this.#chance = new VirtualHost(2 * seed);
    this.#files = new SimulatedFiles(new VirtualHost(14 * seed + 500_000_002).random);
    this.#elsewhere = new Elsewhere(30_002 * seed + 900_000_002);
  }

  /** One deed by chance. */
  async step(): Promise<void> {
    if (this.#process?.power.isGone === true) await this.#crash();
    const process = await this.#open();
    const deeds = this.#deeds();
    let dice = this.#integer(deeds.reduce((sum, { weight }) => sum + weight, 0));
    const deed = deeds.find(({ weight }) => (dice -= weight) < 0) as Deed;
    const model = this.#models[this.#integer(this.#models.length)] as KeyModel;
    this.#count(deed.name);
    const doing = deed.run(model, process);
    if (deed.isAwaited === true) await doing;
    else this.#launch(deed.name, doing);
    if (process.store.health().kind === 'fenced' && this.#process === process) {
      await pause(this.#integer(30));
      await this.#crash();
    }
    this.#mustNotHaveFailed();
  }

  #deeds(): readonly Deed[] {
    const reads: Deed[] = [
      { weight: 6, name: 'get', run: (model, process) => this.#get(model, process) },
      { weight: 2, name: 'records', run: (_, process) => this.#records(process) },
      { weight: 2, name: 'names', run: (model, process) => this.#names(model, process) },
      { weight: 2, name: 'snapshot', run: (_, process) => this.#snapshot(process) },
    ];
    const changes: Deed[] = [
      { weight: 24, name: 'write', run: (model, process) => this.#write(model, process) },
      { weight: 12, name: 'merge', run: (model, process) => this.#merge(model, process) },
      { weight: 3, name: 'hint', run: (model, process) => this.#hint(model, process) },
      { weight: 7, name: 'removal', run: (model, process) => this.#remove(model, process) },
      { weight: 4, name: 'recount', run: (model, process) => this.#recount(model, process) },
      { weight: 4, name: 'restore', run: (model, process) => this.#restore(model, process) },
    ];
    const events: Deed[] = [
      {
        weight: 6,
        name: 'elsewhere',
        isAwaited: true,
        run: (model) => this.#writeElsewhere(model),
      },
      { weight: 14, name: 'pause', isAwaited: true, run: () => pause(this.#integer(12)) },
      { weight: 3, name: 'rest', isAwaited: true, run: (_, process) => this.#rest(process) },
      { weight: 1, name: 'restart', isAwaited: true, run: () => this.restart() },
      { weight: 1, name: 'crash', isAwaited: true, run: () => this.#crash() },
      { weight: 1, name: 'failure', isAwaited: true, run: () => this.#failNextWrite() },
    ];
    return [...reads, ...changes, ...events];
  }

  // What clients, peers and repairs do.

  async #write(model: KeyModel, { replica }: Process): Promise<void> {
    const { key } = model;
    const value = `${(this.#serial += 1)} `.repeat(this.#integer(12));
    const ages = new Set(Array.from({ length: this.#integer(3) }, () => `${this.#integer(5)}`));
    const indexes = [...ages].sort().map((age) => ({ field: AGE, term: text(age) }));
    const isDelete = this.#integer(model.isKept ? 6 : 2) === 0;
    const outcome = await replica.coordinate(key, placementOf(key), {
      context: this.#state(model)?.context ?? EMPTY_VERSION_VECTOR,
      content: isDelete ? TOMBSTONE : content(value, indexes),
    });
    assert(outcome.kind === 'issued');
    model.issued(outcome.object);
    await outcome.durable;
    model.acknowledge(outcome.object);
  }

  async #merge(model: KeyModel, { replica }: Process): Promise<void> {
    const object = this.#state(model);
    if (object === undefined) return;
    const target = this.#integer(4) === 0 ? this.#target() : undefined;
    await replica.merge(model.key, placementOf(model.key), record(object), target);
    model.acknowledge(object);
    if (target !== undefined) model.hinted.add(target);
  }

  async #hint(model: KeyModel, { replica }: Process): Promise<void> {
    const target = this.#target();
    const { partition } = placementOf(model.key);
    await replica.addHint({ target, key: model.key, partition });
    model.hinted.add(target);
  }

  async #remove(model: KeyModel, { replica }: Process): Promise<void> {
    const { key, isKept } = model;
    const placement = placementOf(key);
    const { partition } = placement;
    const known = this.#state(model);
    if (isKept || known === undefined) return;
    const kind = this.#integer(4);
    if (kind <= 1) {
      await replica.reap(key, placement, causalHash(known));
      return;
    }
    const held = await replica.getRecord(key, partition, false);
    if (kind === 2) await replica.drop(key, placement, held && recordCausalHash(held));
    else {
      const hint = { target: this.#target(), key, partition };
      await replica.settleHint(hint, held, this.#integer(2) === 0);
    }
  }

  async #recount(model: KeyModel, { replica }: Process): Promise<void> {
    const { partition } = placementOf(model.key);
    const corrected = await replica.recountTree(partition, N_VAL, {
      segments: ALL_SEGMENTS.slice(this.#integer(2) * this.#integer(1_000)),
      keepPace: async () => {
        await pause(this.#integer(20));
        return true;
      },
    });
    if (!this.#isHarmed) assert.equal(corrected, 0, 'a tree is exact at every moment');
  }

  async #restore(model: KeyModel, { replica }: Process): Promise<void> {
    const { partition } = placementOf(model.key);
    const pages =
      this.#integer(2) === 0
        ? replica.restoreDerived(partition, undefined)
        : replica.sweepIndexes(new Set(PARTITIONS), undefined);
    for await (const _ of pages) await pause(3);
  }

  async #writeElsewhere(model: KeyModel): Promise<void> {
    const value = this.#integer(4) === 0 ? '' : 'elsewhere '.repeat(1 + this.#integer(3));
    await this.#elsewhere.write(model, this.#state(model), value);
  }

  // What reads see holds all that had been acknowledged when they began.

  async #get(model: KeyModel, { replica }: Process): Promise<void> {
    const promised = model.acknowledged;
    const { partition } = placementOf(model.key);
    const bytes = await replica.getRecord(model.key, partition, false);
    if (!this.#isHarmed) model.mustBeIn(bytes && decodeRecord(bytes), promised);
  }

  async #records({ replica }: Process): Promise<void> {
    const promised = this.#models.map(({ acknowledged }) => acknowledged);
    const found = new Map<ByteString, StoredObject | undefined>();
    for (const partition of PARTITIONS) {
      for await (const batch of replica.records(partition, N_VAL, undefined)) {
        for (const each of batch) found.set(keyToString(each.key), decodeRecord(each.record));
        await pause(2);
      }
    }
    if (this.#isHarmed) return;
    for (const [index, model] of this.#models.entries()) {
      model.mustBeIn(found.get(keyToString(model.key)), promised[index]);
    }
  }

  /** Of a key's bucket, by one of the ways to see them. */
  async #names(model: KeyModel, { replica }: Process): Promise<void> {
    const { type, bucket } = model.key;
    const promised = this.#models.filter(({ acknowledged, isKept, key }) => {
      return isKept && acknowledged !== undefined && key.bucket === bucket;
    });
    const names = new Set<ByteString>();
    const way = this.#integer(3);
    if (way === 0) {
      const share = { partitions: PARTITIONS };
      for await (const keys of replica.listKeys(share, type, bucket)) {
        for (const key of keys) names.add(key);
        await pause(3);
      }
    }
    for (const partition of way === 0 ? [] : PARTITIONS) {
      const scan = way === 1 ? 'hashes' : 'heads';
      for await (const found of replica[scan](partition, N_VAL, ALL_SEGMENTS)) {
        for (const { key } of found) if (key.bucket === bucket) names.add(key.key);
        await pause(3);
      }
    }
    if (this.#isHarmed) return;
    for (const { key } of promised) assert(names.has(key.key), 'what is acknowledged is listed');
  }

  /** It holds every body that its entries point to, however long it stays open. */
  async #snapshot({ store }: Process): Promise<void> {
    const snapshot = store.snapshot();
    await pause(this.#integer(200));
    for (let entries = await snapshot.nextEntries(); entries.length > 0;) {
      for (const [, stored] of entries) {
        const place = placeOf(stored);
        if (place === undefined) continue;
        const into = Buffer.alloc(place.sizeBytes);
        const readBytes = await snapshot.readSegment(place.segment, place.offset, into);
        assert.equal(readBytes, place.sizeBytes, 'a snapshot has its bodies');
      }
      entries = await snapshot.nextEntries();
    }
    await snapshot.close();
  }

  // What becomes of the process and its disk.

  /** A clean stop; the next deed starts it again. */
  async restart(): Promise<void> {
    await this.#ended();
    const process = this.#process;
    if (process === undefined || process.power.isGone) return this.#crash();
    const { host, identity, replica, store } = process;
    const stopping = (async () => {
      await replica.close();
      // It may find no room for its note, and is then no clean one.
      try {
        await identity.close();
      } finally {
        await store.close();
      }
    })();
    this.#launch('stop', stopping);
    await this.#ended();
    if (store.health().kind === 'fenced' || process.power.isGone) return this.#crash();
    await host.advance(1_000);
    this.#process = undefined;
    return undefined;
  }

  /** Changes something of what is on the disk. */
  harm(): void {
    this.#isHarmed = true;
    const entries = this.#files.entries().filter(([key]) => 'oidst'.includes(spaceOf(key)));
    if (entries.length === 0) return;
    const [key, stored] = entries[this.#integer(entries.length)] as (typeof entries)[number];
    switch (this.#integer(4)) {
      case 0:
        this.#files.removeEntry(key);
        return;
      case 1:
        this.#files.damageBody(key);
        return;
      case 2:
        // A bit of a copy's key flips; another entry is gone.
        this.#files.removeEntry(key);
        if (spaceOf(key) === 'o') this.#files.put(flipped(key, key.length - 1), stored);
        return;
      default:
        this.#files.corrupt(key);
    }
  }

  /** What scrub, anti-entropy and index repair do, with a peer that has everything. */
  async heal(): Promise<void> {
    await this.restart();
    this.#isHealing = true;
    const { replica } = await this.#open();
    this.#launch('healing', this.#heal(replica));
    await this.#ended();
    // What is damaged beyond its name says nothing to anyone, and stays.
    const known = new Set(this.#models.map(({ key }) => entryOf(key)));
    for (const [key] of this.#files.entries()) {
      if (spaceOf(key) === 'o' && !known.has(bytesToByteString(key))) this.#files.removeEntry(key);
    }
  }

  async #heal(replica: StoreReplica): Promise<void> {
    for (const partition of PARTITIONS) for await (const _ of replica.check(partition));
    for (const model of this.#models) {
      const everything = model.everything();
      if (everything === undefined) continue;
      replica.doubt(model.key);
      await replica.merge(model.key, placementOf(model.key), record(everything), undefined);
      model.acknowledge(everything);
    }
    for (const partition of PARTITIONS) {
      for await (const _ of replica.restoreDerived(partition, undefined));
      const all = { segments: ALL_SEGMENTS, keepPace: () => Promise.resolve(true) };
      await replica.recountTree(partition, N_VAL, all);
    }
    for await (const _ of replica.sweepIndexes(new Set(PARTITIONS), undefined));
  }

  /** In the end the store agrees with itself and with what was promised. */
  async judge(): Promise<void> {
    await this.restart();
    this.#isHealing = true;
    const { host, store } = await this.#open();
    await host.advance(60_000);
    const truth = await readTruth(store, propertiesOf);
    for (const model of this.#models) {
      const id = keyToString(model.key);
      model.mustBeIn(truth.objects.get(id)?.object, model.acknowledged);
      if (!model.isKept) continue;
      for (const target of model.hinted) assert(truth.hints.has(`${target}/${id}`), 'is owed');
    }
    if (this.#isHarmed) return;
    const segments = new Set(this.#files.segmentSizes().keys());
    for (const [key, stored] of this.#files.entries()) {
      const segment = decodeLogSegmentKey(key) ?? placeOf(stored)?.segment;
      assert(segment === undefined || segments.has(segment), 'no entry speaks of what is gone');
    }
  }

  async #open(): Promise<Process> {
    if (this.#process !== undefined) return this.#process;
    this.#processCount += 1;
    // Each has a time and a chance of its own: what a dead one waits for never comes.
    const host = new VirtualHost(20_002 * this.#seed + 2 * this.#processCount);
    const stepsMax = this.#integer(4) === 0 ? STEPS_OF_START_MAX + this.#integer(2_000) : Infinity;
    const power = new Power(host, stepsMax);
    // Now and then it has room for little at once, and refuses the rest.
    const pendingOperationsMax = this.#integer(4) === 0 && !this.#isHealing ? 8 : 65_536;
    const store = await power.open(this.#files, { ...LOG, pendingOperationsMax });
    const identity = await openIdentity(store, host);
    if (this.#integer(2) === 0) identity.continueActors();
    const recent = [16, 1, 0][this.#integer(3)] ?? 0;
    const ports = {
      store,
      identity,
      properties: (_type: ByteString, bucket: ByteString) => propertiesOf({ bucket }),
    };
    const replica = await StoreReplica.open(host, ports, {
      ...STORE_REPLICA_DEFAULTS,
      recentHeadsMax: recent,
      recentRecordsMaxBytes: recent * 400,
      gravesMax: this.#integer(4) === 0 ? 0 : STORE_REPLICA_DEFAULTS.gravesMax,
    });
    this.#process = { host, power, store, identity, replica };
    return this.#process;
  }

  async #crash(): Promise<void> {
    const process = this.#process;
    if (process === undefined) return;
    process.power.cut();
    for (let turn = 0; turn < 6; turn += 1) await settle();
    this.#files.crash();
    this.#files.failNextWrite = undefined;
    this.#underWay.clear();
    this.#process = undefined;
  }

  #failNextWrite(): Promise<void> {
    if (this.#integer(3) === 0) this.#files.failNextWrite = 'no room';
    return Promise.resolve();
  }

  /** All that is under way ends; now and then so much time goes by that graves are forgotten. */
  async #rest({ host, power }: Process): Promise<void> {
    await this.#ended();
    if (!power.isGone) await host.advance(this.#integer(5) === 0 ? 700_000 : 2_000);
  }

  /** Or the power is gone. */
  async #ended(): Promise<void> {
    const process = this.#process;
    for (let turn = 0; turn < 1_000 && this.#underWay.size > 0; turn += 1) {
      if (process?.power.isGone === true) return;
      await process?.host.advance(50);
    }
    if (process?.power.isGone === true) return;
    assert.equal(this.#underWay.size, 0, 'all that is begun ends');
    this.#mustNotHaveFailed();
  }

  #launch(name: string, work: Promise<void>): void {
    const process = this.#process;
    const watched = work
      .catch((error: unknown) => {
        if (process?.power.isGone === true || isFault(error, 'store-fenced')) return;
        if (isFault(error, 'overload') && !this.#isHealing) return;
        if (isFault(error, 'store-corrupt') && this.#isHarmed && !this.#isHealing) return;
        this.#failures.push(new Error(`${name} failed`, { cause: error }));
      })
      .finally(() => this.#underWay.delete(watched));
    this.#underWay.add(watched);
  }

  #mustNotHaveFailed(): void {
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  /** One of the key's, mostly of the newest; undefined: none. */
  #state({ states }: KeyModel): StoredObject | undefined {
    if (states.length === 0 || this.#integer(10) === 0) return undefined;
    const among = this.#integer(2) === 0 ? Math.min(3, states.length) : states.length;
    return states[states.length - 1 - this.#integer(among)];
  }

  #target(): NodeId {
    return TARGETS[this.#integer(TARGETS.length)] as NodeId;
  }

  #integer(below: number): number {
    return this.#chance.random.integer(below);
  }

  #count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }
}

function entryOf(key: ObjectKey): ByteString {
  return bytesToByteString(encodeObjectKey(placementOf(key).partition, key));
}

function spaceOf(key: Buffer): string {
  return String.fromCharCode(key[0] ?? 0);
}
