/**
 * What was ever made of a few keys, and what was promised: the plain model beside a replica that lives
 * through crashes.
 */

import assert from 'node:assert/strict';
import type { NodeId, ObjectKey } from '../../src/base/names.ts';
import { dotToString, EMPTY_VERSION_VECTOR } from '../../src/clock/version-vector.ts';
import { causalHash } from '../../src/object/causality.ts';
import { mergeObjects } from '../../src/object/reconcile.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import {
  content,
  objectKey,
  openReplica,
  placementOf,
  record,
  TOMBSTONE,
} from './replica-world.ts';
import type { Opened } from './replica-world.ts';
import { ShakyStore } from './shaky-store.ts';
import { VirtualHost } from './virtual-host.ts';

const KEPT = [
  ...['a', 'b', 'c'].map((key) => objectKey(key)),
  ...['a', 'b'].map((key) => objectKey(key, 'single')),
];
export const TARGETS = ['b@host', 'c@host'] as NodeId[];

/** One key. */
export class KeyModel {
  readonly key: ObjectKey;
  /** Nothing takes its copy away, so that what was acknowledged must be in it. */
  readonly isKept: boolean;
  /** Every state that anyone held, durable or not, the oldest first. */
  readonly states: StoredObject[] = [];
  /** Targets of hints that were acknowledged. */
  readonly hinted = new Set<NodeId>();
  readonly #dots = new Set<string>();
  #acknowledged: StoredObject | undefined;

  constructor(key: ObjectKey) {
    this.key = key;
    this.isKept = KEPT.includes(key);
  }

  /** The merge of all that was. */
  get acknowledged(): StoredObject | undefined {
    return this.#acknowledged;
  }

  acknowledge(object: StoredObject): void {
    const before = this.#acknowledged;
    this.#acknowledged = before === undefined ? object : mergeObjects(before, object);
  }

  /** A write has made this; fails if its dot was there before. */
  issued(object: StoredObject): void {
    const names = object.siblings.map(({ dot }) => dotToString(dot));
    assert(
      names.some((name) => !this.#dots.has(name)),
      'a write has a dot that no write before it had',
    );
    for (const name of names) this.#dots.add(name);
    this.states.push(object);
  }

  /** All that anyone ever held of it. */
  everything(): StoredObject | undefined {
    const [first, ...others] = this.states;
    return first && others.reduce(mergeObjects, first);
  }

  mustBeIn(held: StoredObject | undefined, promised: StoredObject | undefined): void {
    if (!this.isKept || promised === undefined) return;
    assert(held !== undefined, 'what was acknowledged is held');
    const together = causalHash(mergeObjects(held, promised));
    assert.deepEqual(together, causalHash(held), 'and nothing of it is missing');
  }
}

export function newModels(): readonly KeyModel[] {
  const removed = [objectKey('removed'), objectKey('removed', 'single')];
  return [...KEPT, ...removed].map((key) => new KeyModel(key));
}

/** Another node, which writes to the same keys. */
export class Elsewhere {
  readonly #seed: number;
  #opened: Opened | undefined;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** On top of one of the states so far. */
  async write(model: KeyModel, known: StoredObject | undefined, value: string): Promise<void> {
    const host = new VirtualHost(this.#seed);
    this.#opened ??= await openReplica(host, new ShakyStore(host.random));
    const { replica } = this.#opened;
    const placement = placementOf(model.key);
    if (known !== undefined) await replica.merge(model.key, placement, record(known), undefined);
    const outcome = await replica.coordinate(model.key, placement, {
      context: known?.context ?? EMPTY_VERSION_VECTOR,
      content: value === '' ? TOMBSTONE : content(value),
    });
    assert(outcome.kind === 'issued');
    await outcome.durable;
    model.issued(outcome.object);
  }
}

/** So many turns go by. */
export async function pause(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
}

/** With one bit changed. */
export function flipped(bytes: Buffer, at: number): Buffer {
  const harmed = Buffer.from(bytes);
  harmed.writeUInt8(harmed.readUInt8(at) ^ 0x20, at);
  return harmed;
}
