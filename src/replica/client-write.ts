/**
 * A client's write at the replica that coordinates it: the one place where dots are issued.
 *
 * The copy with the write applied is the new state; it is given to the caller as soon as it is
 * known, so that the other replicas store it at the same time as this one. A write that is refused,
 * because the object would grow past a limit, has issued nothing.
 */

import type { Host } from '../base/host.ts';
import { EMPTY_VERSION_VECTOR, merge } from '../clock/version-vector.ts';
import type { Dot } from '../clock/version-vector.ts';
import type { BucketProperties } from '../object/bucket-properties.ts';
import { applyWrite } from '../object/reconcile.ts';
import type { StoredObject } from '../object/stored-object.ts';
import { randomVtag } from '../object/vtag.ts';
import { copyOf, objectOf, withoutValues } from './copy.ts';
import type { Copy } from './copy.ts';
import type { Settlement } from './changes.ts';
import type { Change, KeySlot } from './key-slot.ts';
import type { OwnChains } from './own-chains.ts';
import type { CoordinatedOutcome, CoordinatedWrite } from './replica.ts';

export interface ObjectLimits {
  /** Of a record that a client's write makes; merges are not refused. */
  readonly objectSizeMaxBytes: number;
  readonly siblingsMax: number;
}

export interface ClientWritePorts {
  readonly host: Host;
  readonly chains: OwnChains;
  readonly limits: ObjectLimits;
  readonly settlement: Settlement<CoordinatedOutcome>;
}

export class ClientWriteChange implements Change {
  readonly sizeBytes: number;
  readonly hintTargets = [];
  readonly #write: CoordinatedWrite;
  readonly #properties: BucketProperties;
  readonly #ports: ClientWritePorts;
  readonly #vtag: string;
  #dot: Dot | undefined;
  #durable: Settlement<void> | undefined;

  constructor(write: CoordinatedWrite, properties: BucketProperties, ports: ClientWritePorts) {
    this.sizeBytes = write.content.value.length + 1024;
    this.#write = write;
    this.#properties = properties;
    this.#ports = ports;
    this.#vtag = randomVtag(ports.host.random);
  }

  apply(slot: KeySlot): boolean {
    const { chains, limits } = this.#ports;
    const object = this.#objectAfter(slot);
    if (object === undefined) return false;
    const siblingCount = object.siblings.length;
    // A write that makes them fewer is welcome, however many are left.
    if (
      siblingCount > limits.siblingsMax &&
      siblingCount > (slot.copy?.head.siblings.length ?? 0)
    ) {
      this.#refuse({ kind: 'too-many-siblings', count: siblingCount });
      return true;
    }
    const copy = copyOf(object);
    const sizeBytes = copy.record.length;
    if (sizeBytes > limits.objectSizeMaxBytes) {
      this.#refuse({ kind: 'too-large', sizeBytes });
      return true;
    }
    slot.replace(copy);
    chains.begin(slot.id);
    this.#issue(object, copy);
    return true;
  }

  settle(): void {
    this.#durable?.resolve();
  }

  fail(error: unknown): void {
    // Before the dot is issued nothing is known to anyone; after it, only durability is in doubt.
    if (this.#durable === undefined) this.#ports.settlement.reject(error);
    else this.#durable.reject(error);
  }

  /** Undefined: siblings of the copy live on, and their values are not known. */
  #objectAfter(slot: KeySlot): StoredObject | undefined {
    const { host, chains } = this.#ports;
    const { content } = this.#write;
    const { copy, pastContext } = slot;
    const local = copy?.head.context ?? pastContext;
    // What a reaped tombstone had superseded is not to come back beside the new value.
    const context = merge(this.#write.context, pastContext ?? EMPTY_VERSION_VECTOR);
    // The slot stands still while values are read, so the dot of the first try is still right.
    this.#dot ??= chains.next(slot.id, { local, client: this.#write.context });
    const write = {
      context,
      content,
      dot: this.#dot,
      properties: this.#properties,
      nowMicros: host.clock.wallMicros(),
      vtag: this.#vtag,
    };
    const known = copy === undefined ? undefined : (objectOf(copy) ?? withoutValues(copy.head));
    const object = applyWrite(known, write);
    const isWhole = object.siblings.length === 1 || copy === undefined || hasValues(copy);
    return isWhole ? object : undefined;
  }

  #refuse(outcome: CoordinatedOutcome): void {
    this.#ports.settlement.resolve(outcome);
  }

  #issue(object: StoredObject, copy: Copy & { readonly record: Buffer }): void {
    const durable = new Promise<void>((resolve, reject) => {
      this.#durable = { resolve, reject };
    });
    // Whoever has got the answer already may no longer wait for it.
    durable.catch(() => {});
    this.#ports.settlement.resolve({ kind: 'issued', object, record: copy.record, durable });
  }
}

function hasValues(copy: Copy): boolean {
  return copy.object !== undefined || copy.record !== undefined;
}
