/**
 * A map function of MapReduce, run where the objects are: each input by one node that holds it.
 *
 * An input goes to the first owner in its key's preference list that answers; one that has no copy, or
 * fails, is followed by the next, as in Riak. When none could map it, it is read here as any object is:
 * so absence, failures and repair are those of an ordinary read, and a cluster in which some nodes do
 * not know the request yet only loses the short way. Like a listing, a map sees one replica: what has
 * not reached that one yet is not there.
 *
 * Each node has one request under way, of a batch. What has come and is not taken is bounded: beyond
 * the bound only what is needed next is asked for.
 */

import { assert, isFault } from '../base/fault.ts';
import type { NodeId, ObjectKey } from '../base/names.ts';
import type { GetOutcome, GetRequest } from '../object/requests.ts';
import type { MapInput } from '../peer/messages.ts';
import { locate, type CoordinatorPorts } from './ports.ts';

export interface MapRunOptions {
  /** Undefined: the objects themselves are wanted, so each is read. */
  readonly task: Buffer | undefined;
  /** Time left for the job. */
  readonly leftMs: () => number;
  readonly read: (request: GetRequest) => Promise<GetOutcome>;
}

/** Inputs of one request. */
const BATCH_COUNT = 64;
/** A node answers within the time of one function and a little, or with a part. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Objects may be large, and all that are read together are in memory. */
const READS_AT_ONCE = 8;
/** Of what has come and is not taken; what is under way may come on top. */
const HELD_MAX_BYTES = 16 * 1024 * 1024;

interface Entry {
  readonly input: MapInput;
  /** Rises with each input. */
  readonly sequence: number;
  /** Those not asked yet. */
  candidates: readonly NodeId[];
  outcome: Buffer | GetOutcome | undefined;
}

/** The inputs that wait for one node; the first of them came first. */
interface Lane {
  readonly node: NodeId;
  readonly waiting: Entry[];
  isBusy: boolean;
}

export class MapRun {
  readonly #ports: CoordinatorPorts;
  readonly #options: MapRunOptions;
  readonly #lanes = new Map<NodeId, Lane>();
  readonly #toRead: Entry[] = [];
  /** Nodes that failed a request: not asked again in this run. */
  readonly #failed = new Set<NodeId>();
  /** Added and not taken, in order. */
  readonly #entries: Entry[] = [];
  #sequence = 0;
  #readCount = 0;
  #heldBytes = 0;
  #isClosed = false;
  /** Why the run cannot go on. */
  #failure: unknown;
  #taking:
    | {
        readonly resolve: (outcome: Buffer | GetOutcome) => void;
        readonly reject: (error: unknown) => void;
      }
    | undefined;

  constructor(ports: CoordinatorPorts, options: MapRunOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  get isReady(): boolean {
    return this.#entries[0]?.outcome !== undefined;
  }

  add(input: MapInput): void {
    this.#enter(input, this.#options.task === undefined ? [] : this.#holders(input.key));
  }

  addRead(key: ObjectKey): void {
    this.#enter({ key, keyData: undefined }, []);
  }

  /** Rejects with the fault of a read. */
  take(): Promise<Buffer | GetOutcome> {
    const first = this.#entries[0];
    assert(first !== undefined && this.#taking === undefined, 'what is taken was added before');
    if (first.outcome !== undefined) return Promise.resolve(this.#shift(first.outcome));
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#taking = { resolve, reject };
    });
  }

  close(): void {
    this.#isClosed = true;
  }

  /** The owners of the key that may be asked, in the order of the list. */
  #holders(key: ObjectKey): readonly NodeId[] {
    const { view, lists } = this.#ports;
    const properties = view.properties(key.type, key.bucket);
    if (properties === undefined) return [];
    const partition = locate(key, properties, view.ring().ringSize);
    const nodes: NodeId[] = [];
    for (const { node, primaryCount } of lists.participants(partition, properties.n_val, false)) {
      if (primaryCount > 0 && view.mayCover(node)) nodes.push(node);
    }
    return nodes;
  }

  #enter(input: MapInput, candidates: readonly NodeId[]): void {
    const entry = { input, candidates, sequence: this.#sequence, outcome: undefined };
    this.#sequence += 1;
    this.#entries.push(entry);
    this.#forward(entry);
  }

  /** To the next node that may have the input's object, or to be read here. */
  #forward(entry: Entry): void {
    const candidates = entry.candidates.filter((node) => !this.#failed.has(node));
    const [node, ...others] = candidates;
    entry.candidates = others;
    if (node === undefined) {
      insert(this.#toRead, entry);
      this.#readMore();
      return;
    }
    let lane = this.#lanes.get(node);
    if (lane === undefined) {
      lane = { node, waiting: [], isBusy: false };
      this.#lanes.set(node, lane);
    }
    insert(lane.waiting, entry);
    this.#ask(lane);
  }

  #ask(lane: Lane): void {
    const { task } = this.#options;
    if (lane.isBusy || task === undefined || !this.#mayAsk(lane.waiting[0])) return;
    const batch = lane.waiting.splice(0, BATCH_COUNT);
    const inputs = batch.map(({ input }) => input);
    const timeoutMs = Math.min(this.#options.leftMs(), REQUEST_TIMEOUT_MS);
    lane.isBusy = true;
    this.#ports.peer.request(lane.node, { verb: 'map', task, inputs }, timeoutMs).then(
      (reply) => {
        lane.isBusy = false;
        const outputs = reply.kind === 'mapped' ? reply.outputs : [];
        // An answer of nothing would be asked for again, for ever.
        if (outputs.length === 0) this.#failed.add(lane.node);
        for (const [index, entry] of batch.entries()) {
          const output = outputs[index];
          if (Buffer.isBuffer(output)) this.#settle(entry, output);
          else if (output === undefined && outputs.length > 0) insert(lane.waiting, entry);
          else this.#forward(output === 'unable' ? withoutNodes(entry) : entry);
        }
        this.#ask(lane);
      },
      (error: unknown) => {
        lane.isBusy = false;
        if (!isFault(error)) return this.#fail(error);
        this.#ports.host.metrics.count('map_requests_failed');
        if (error.code !== 'overload') this.#failed.add(lane.node);
        for (const entry of [...batch, ...lane.waiting.splice(0)]) this.#forward(entry);
      },
    );
  }

  #readMore(): void {
    while (this.#readCount < READS_AT_ONCE && this.#mayAsk(this.#toRead[0])) {
      this.#read(this.#toRead.shift() as Entry);
    }
  }

  #read(entry: Entry): void {
    this.#readCount += 1;
    const { key } = entry.input;
    this.#options.read({ key, timeoutMs: this.#options.leftMs() }).then(
      (outcome) => {
        this.#readCount -= 1;
        this.#settle(entry, outcome);
        this.#readMore();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  /** What is needed next may always be asked for. */
  #mayAsk(entry: Entry | undefined): boolean {
    if (entry === undefined || this.#isClosed) return false;
    return this.#heldBytes <= HELD_MAX_BYTES || entry.sequence === this.#entries[0]?.sequence;
  }

  #settle(entry: Entry, outcome: Buffer | GetOutcome): void {
    entry.outcome = outcome;
    this.#heldBytes += sizeOf(outcome);
    if (entry !== this.#entries[0] || this.#taking === undefined) return;
    const { resolve } = this.#taking;
    this.#taking = undefined;
    resolve(this.#shift(outcome));
  }

  #shift(outcome: Buffer | GetOutcome): Buffer | GetOutcome {
    const wasFull = this.#heldBytes > HELD_MAX_BYTES;
    this.#entries.shift();
    this.#heldBytes -= sizeOf(outcome);
    if (wasFull) this.#goOn();
    return outcome;
  }

  #goOn(): void {
    for (const lane of this.#lanes.values()) this.#ask(lane);
    this.#readMore();
  }

  /** Who takes, now or later, hears of it. */
  #fail(error: unknown): void {
    this.#isClosed = true;
    this.#failure ??= error;
    this.#taking?.reject(error);
  }
}

/** In the order in which inputs were added. */
function insert(entries: Entry[], entry: Entry): void {
  let index = entries.length;
  while (index > 0 && (entries[index - 1] as Entry).sequence > entry.sequence) index -= 1;
  entries.splice(index, 0, entry);
}

/** The function itself is at fault: another replica would say the same. */
function withoutNodes(entry: Entry): Entry {
  entry.candidates = [];
  return entry;
}

function sizeOf(outcome: Buffer | GetOutcome): number {
  if (Buffer.isBuffer(outcome)) return outcome.length;
  if (outcome.kind !== 'found') return 0;
  return outcome.object.siblings.reduce((sum, { value }) => sum + value.length, 0);
}
