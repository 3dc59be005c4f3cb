/**
 * Clients of data types: they fetch, add, and remove what they have seen, with the context they saw
 * it with, which may be stale by then; and they try to remove what they have not seen.
 *
 * Every update asks for two distinct nodes, so that an acknowledged one outlives the victim's disk.
 */

import { utf8ToByteString, type ByteString } from '../../src/base/bytes.ts';
import type { DatatypeName, DatatypeOperation } from '../../src/datatype/operation.ts';
import type { VersionVector } from '../../src/clock/version-vector.ts';
import { within, type Asked } from './asked.ts';
import { DatatypeHistory, type View } from './datatype-history.ts';
import { FLAG_PART, countOperation, mapPart, partOperation, seenIn } from './datatype-parts.ts';
import type { SimulatedNode } from './cluster.ts';
import type { SeededRandom, World } from './world.ts';

export interface DatatypeWorkloadOptions {
  readonly clientCount: number;
  readonly operationsPerClient: number;
  readonly keysPerType: number;
  readonly pauseMaxMs: number;
  readonly requestTimeoutMs: number;
}

export interface DatatypeWorkloadPorts {
  readonly world: World;
  readonly violations: string[];
  readonly anyNode: () => SimulatedNode | undefined;
}

/** The bucket type of each; to be made before the start. */
export const TYPE_BY_DATATYPE: ReadonlyMap<DatatypeName, ByteString> = new Map(
  (['counter', 'set', 'gset', 'map', 'hll'] as const).map((datatype) => [
    datatype,
    utf8ToByteString(`${datatype}s`),
  ]),
);

interface Client {
  readonly random: SeededRandom;
  readonly views: Map<DatatypeHistory, View>;
}

export class DatatypeWorkload {
  readonly histories: readonly DatatypeHistory[];
  readonly #ports: DatatypeWorkloadPorts;
  readonly #options: DatatypeWorkloadOptions;
  #runningCount = 0;
  #ackedCount = 0;
  #partCount = 0;

  constructor(ports: DatatypeWorkloadPorts, options: DatatypeWorkloadOptions) {
    this.#ports = ports;
    this.#options = options;
    this.histories = [...TYPE_BY_DATATYPE].flatMap(([datatype, type]) =>
      Array.from({ length: options.keysPerType }, (_, index) => {
        const key = { type, bucket: utf8ToByteString('b'), key: utf8ToByteString(`k${index}`) };
        return new DatatypeHistory(key, datatype);
      }),
    );
  }

  get isDone(): boolean {
    return this.#runningCount === 0;
  }

  get ackedCount(): number {
    return this.#ackedCount;
  }

  start(): void {
    for (let client = 0; client < this.#options.clientCount; client += 1) {
      this.#runningCount += 1;
      const random = this.#ports.world.random.fork();
      void this.#run({ random, views: new Map() }).finally(() => {
        this.#runningCount -= 1;
      });
    }
  }

  async #run(client: Client): Promise<void> {
    const { random } = client;
    for (let done = 0; done < this.#options.operationsPerClient; done += 1) {
      await this.#ports.world.sleep(random.integer(this.#options.pauseMaxMs * 1000) / 1000);
      const machine = this.#ports.anyNode();
      if (machine?.node === undefined) continue;
      const asked = { machine, node: machine.node };
      const history = random.pick(this.histories);
      if (random.chance(0.3)) await this.#fetch(asked, history, client);
      else await this.#update(asked, history, client);
    }
  }

  async #fetch(asked: Asked, history: DatatypeHistory, { views }: Client): Promise<void> {
    const { requestTimeoutMs: timeoutMs } = this.#options;
    const { key } = history;
    const outcome = await this.#within(asked, () => asked.node.fetchDatatype({ key, timeoutMs }));
    if (outcome?.kind !== 'found' || outcome.shown.context === undefined) return;
    const { value, context } = outcome.shown;
    views.set(history, { context, parts: seenIn(value).parts, atMs: this.#ports.world.nowMs });
  }

  async #update(asked: Asked, history: DatatypeHistory, client: Client): Promise<void> {
    const { datatype } = history;
    const { random } = client;
    const isCount = datatype === 'counter' || (datatype === 'map' && random.chance(0.25));
    if (isCount) return this.#increment(asked, history, datatype);
    const view = client.views.get(history);
    const canRemove = datatype === 'set' || datatype === 'map';
    if (canRemove && view !== undefined && random.chance(0.4)) {
      return this.#remove(asked, history, { view, random });
    }
    return this.#add(asked, history, { datatype, random });
  }

  async #increment(
    asked: Asked,
    history: DatatypeHistory,
    datatype: 'counter' | 'map',
  ): Promise<void> {
    const increment = history.beginIncrement();
    if (increment === undefined) return;
    const operation = countOperation(datatype, increment.amount);
    increment.record.isAcked = await this.#send(asked, history, { operation });
  }

  /** Something new, or now and then something that has been there before. */
  async #add(
    asked: Asked,
    history: DatatypeHistory,
    how: { readonly datatype: 'set' | 'gset' | 'hll' | 'map'; readonly random: SeededRandom },
  ): Promise<void> {
    const { datatype, random } = how;
    const known = history.additions;
    const part =
      known.length > 0 && random.chance(0.2)
        ? random.pick(known).part
        : this.#newPart(datatype, random);
    const addition = history.beginAddition(part, this.#ports.world.nowMs);
    const operation = partOperation(datatype, { adds: [part], removes: [] });
    addition.isAcked = await this.#send(asked, history, { operation });
  }

  #newPart(datatype: DatatypeName, random: SeededRandom): string {
    this.#partCount += 1;
    if (datatype !== 'map') return `part-${this.#partCount}`;
    if (random.chance(0.3)) return FLAG_PART;
    return mapPart(random.chance(0.5) ? 'field' : 'tag', this.#partCount);
  }

  /** What the view shows, or now and then what it does not: that must have no effect. */
  async #remove(
    asked: Asked,
    history: DatatypeHistory,
    { view, random }: { readonly view: View; readonly random: SeededRandom },
  ): Promise<void> {
    const { datatype } = history;
    const shown = [...view.parts];
    const others = history.additions
      .map(({ part }) => part)
      .filter((part) => !view.parts.has(part));
    const candidates = shown.length === 0 || random.chance(0.2) ? others : shown;
    if (candidates.length === 0 || (datatype !== 'set' && datatype !== 'map')) return;
    const part = random.pick(candidates);
    const removal = history.beginRemoval(part, view);
    const operation = partOperation(datatype, { adds: [], removes: [part] });
    removal.isAcked = await this.#send(asked, history, { operation, context: view.context });
  }

  /** Whether it was acknowledged. */
  async #send(
    asked: Asked,
    { key }: DatatypeHistory,
    update: { readonly operation: DatatypeOperation; readonly context?: VersionVector },
  ): Promise<boolean> {
    const outcome = await this.#within(asked, () =>
      asked.node.updateDatatype({
        key,
        ...update,
        nodeConfirms: 2,
        returning: 'nothing',
        timeoutMs: this.#options.requestTimeoutMs,
      }),
    );
    if (outcome?.kind !== 'updated') return false;
    this.#ackedCount += 1;
    return true;
  }

  #within<T>(asked: Asked, request: () => Promise<T>): Promise<T | undefined> {
    const { world, violations } = this.#ports;
    const { requestTimeoutMs } = this.#options;
    return within(asked, request, { world, requestTimeoutMs, violations });
  }
}
