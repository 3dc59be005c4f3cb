/**
 * A client's write at the replica that coordinates it: the one place where dots are issued.
 *
 * A maker says what the write makes of the copy. The result is the new state; it is given to the
 * caller as soon as it is known, so that the other replicas store it at the same time as this one. A
 * write that is refused has issued nothing.
 */

import type { Host } from '../base/host.ts';
import type { Span } from '../base/span.ts';
import type { StoredObject } from '../object/stored-object.ts';
import { randomVtag } from '../object/vtag.ts';
import { copyOf } from './copy.ts';
import type { Copy } from './copy.ts';
import { ChangeSteps } from './change-steps.ts';
import type { Settlement } from './changes.ts';
import type { Change, KeySlot } from './key-slot.ts';
import type { OwnChains } from './own-chains.ts';
import type { CoordinatedOutcome } from './replica.ts';
import type { Made, WriteMaker } from './write-makers.ts';

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
  readonly span: Span | undefined;
}

export class ClientWriteChange implements Change {
  readonly sizeBytes: number;
  readonly hintTargets = [];
  readonly #maker: WriteMaker;
  readonly #ports: ClientWritePorts;
  readonly #vtag: string;
  readonly #steps: ChangeSteps | undefined;
  #made: Made | undefined;
  #durable: Settlement<void> | undefined;

  constructor(maker: WriteMaker, ports: ClientWritePorts) {
    this.sizeBytes = maker.sizeBytes;
    this.#maker = maker;
    this.#ports = ports;
    this.#vtag = randomVtag(ports.host.random);
    this.#steps = ports.span && new ChangeSteps(ports.span);
  }

  apply(slot: KeySlot): boolean | Promise<void> {
    const made = this.#made ?? this.#make(slot);
    if (made === undefined) return false;
    if (made instanceof Promise) {
      return made.then((outcome) => {
        this.#made = outcome;
      });
    }
    this.#steps?.applied();
    if ('kind' in made) this.#refuse(made);
    else this.#place(slot, made);
    return true;
  }

  #make(slot: KeySlot): ReturnType<WriteMaker['make']> {
    const { host, chains } = this.#ports;
    const { copy } = slot;
    const pastContext = slot.grave?.context;
    const local = copy?.head.context ?? pastContext;
    // On every try: values that turn out damaged leave no copy, and no chain goes on without one.
    const dot = chains.next(slot.id, { local, client: this.#maker.seen });
    return this.#maker.make({
      copy,
      pastContext,
      dot,
      nowMicros: host.clock.wallMicros(),
      vtag: this.#vtag,
    });
  }

  #place(slot: KeySlot, object: StoredObject): void {
    const { chains, limits } = this.#ports;
    const siblingCount = object.siblings.length;
    // A write that makes them fewer is welcome, however many are left.
    if (
      siblingCount > limits.siblingsMax &&
      siblingCount > (slot.copy?.head.siblings.length ?? 0)
    ) {
      this.#refuse({ kind: 'too-many-siblings', count: siblingCount });
      return;
    }
    const copy = copyOf(object);
    const sizeBytes = copy.record.length;
    if (sizeBytes > limits.objectSizeMaxBytes) {
      this.#refuse({ kind: 'too-large', sizeBytes });
      return;
    }
    slot.replace(copy);
    chains.begin(slot.id);
    this.#issue(object, copy);
  }

  settle(): void {
    this.#steps?.settled();
    this.#durable?.resolve();
  }

  fail(error: unknown): void {
    this.#steps?.failed(error);
    // Before the dot is issued nothing is known to anyone; after it, only durability is in doubt.
    if (this.#durable === undefined) this.#ports.settlement.reject(error);
    else this.#durable.reject(error);
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
