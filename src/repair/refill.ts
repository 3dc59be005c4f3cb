/**
 * The refill: a node whose disk was lost or set back comes to hold its replicas again.
 *
 * Whoever makes a new identity, because its store holds none or was restored, notes in the same batch
 * that it is to be refilled. Until all that it should hold has been filled and exchanged
 * it is left out of lists and index queries where others can answer. A new node of a new cluster does
 * the same and is through as soon as it has met the others. So is one that is alone by its configuration:
 * when it is given back the place that it had in a cluster, it begins anew.
 *
 *   meta 'refill' → | number u32 | 1: the disk was empty, 2: it holds an older state |
 */

import { utf8ToByteString } from '../base/bytes.ts';
import type { Host } from '../base/host.ts';
import { replicaCountsInUse } from '../membership/effective-properties.ts';
import { encodeMetaKey } from '../storage/keys.ts';
import type { Store, WriteOperation } from '../storage/store.ts';
import { Background } from './background.ts';
import { Fill, type FillMeans } from './fill.ts';
import { FillLog } from './fill-log.ts';
import type { Halt } from './halt.ts';
import type { TransferPorts } from './ports.ts';
import { heldTrees } from './replica-sets.ts';

export interface RefillNote {
  readonly fill: number;
  /** What became of the disk. */
  readonly lost: 'empty' | 'older';
}

const NOTE_KEY = encodeMetaKey(utf8ToByteString('refill'));
const NOTE_SIZE_BYTES = 5;

/** To be stored with a new identity; `isEmpty`: the disk held none before. */
export function refillNote(host: Host, isEmpty: boolean): WriteOperation {
  return putNote(newNote(host, isEmpty ? 'empty' : 'older'));
}

function newNote(host: Host, lost: RefillNote['lost']): RefillNote {
  return { fill: host.random.integer(2 ** 32), lost };
}

function putNote({ fill, lost }: RefillNote): WriteOperation {
  const bytes = Buffer.alloc(NOTE_SIZE_BYTES);
  bytes.writeUInt32BE(fill, 0);
  bytes.writeUInt8(lost === 'empty' ? 1 : 2, NOTE_SIZE_BYTES - 1);
  return { kind: 'put', key: NOTE_KEY, head: bytes };
}

/** Undefined: this node holds what it should. */
export async function findRefill(store: Store): Promise<RefillNote | undefined> {
  const bytes = await store.get(NOTE_KEY);
  if (bytes?.length !== NOTE_SIZE_BYTES) return undefined;
  return {
    fill: bytes.readUInt32BE(0),
    lost: bytes.readUInt8(NOTE_SIZE_BYTES - 1) === 1 ? 'empty' : 'older',
  };
}

type RefillMeans = Omit<FillMeans, 'kind' | 'log' | 'isWanted' | 'isHereMostly'>;

export class Refill {
  readonly #ports: TransferPorts;
  readonly #means: RefillMeans;
  readonly #background: Background;
  #note: RefillNote | undefined;

  constructor(
    ports: TransferPorts,
    means: RefillMeans,
    begin: { readonly note: RefillNote | undefined; readonly restMs: number },
  ) {
    this.#ports = ports;
    this.#means = means;
    this.#note = begin.note;
    const background = { name: 'refill', restMs: begin.restMs };
    this.#background = new Background(ports.host, background, (halt) => this.round(halt));
  }

  start(): void {
    this.#background.start();
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#background.stop();
  }

  /**
   * Fills the replicas that this node comes to have by `move` without holding any. Noted before, lest a
   * crash leave it with its place and nothing in it; begun after, for alone it would be through at once.
   */
  async runAfter(move: () => Promise<void>): Promise<void> {
    const { host, store } = this.#ports;
    const note = newNote(host, 'empty');
    // A round under way must not take the note that follows for its own.
    this.#note = undefined;
    try {
      await store.write([putNote(note)]);
      await move();
    } finally {
      this.#note = note;
      this.#background.wake();
    }
  }

  async round(halt: Halt): Promise<void> {
    const note = this.#note;
    if (note === undefined) return;
    const { host, self, store, view } = this.#ports;
    const trees = heldTrees(view.ring(), self, replicaCountsInUse(view.state()));
    const ring = view.ring();
    const fill = new Fill(
      this.#ports,
      {
        ...this.#means,
        kind: 'refill',
        log: new FillLog(store, note.fill),
        isWanted: () => view.ring() === ring,
        isHereMostly: note.lost === 'older',
      },
      halt,
    );
    const { standstills } = this.#means.progress;
    standstills.begin('refill', '', [...new Set(trees.flatMap(({ sources }) => sources))]);
    if (!(await fill.run(trees))) return;
    standstills.end('refill');
    if (this.#note !== note) return;
    await store.write([{ kind: 'remove', key: NOTE_KEY }]);
    if (this.#note !== note) return;
    this.#note = undefined;
    this.#ports.filled();
    host.log.info('repair.refilled', { trees: trees.length });
  }
}
