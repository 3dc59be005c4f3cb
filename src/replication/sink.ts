/**
 * The sink of one source: workers that fetch what was changed there, and take it over.
 *
 * A worker goes from node to node of the source, for each has a queue of its own; where there is something
 * it stays for some lots, and where there is nothing anywhere it rests. It keeps one connection to each
 * node, because what was fetched is acknowledged by the next fetch on the same one. Nothing is fetched
 * before the lot in hand has been dealt with, so this cluster's pace is the brake.
 */

import { isFault, type Fault } from '../base/fault.ts';
import { sleep } from '../base/host.ts';
import { Halt } from '../repair/halt.ts';
import { CurrentLogin } from './current-login.ts';
import { Lot, SINK_TIMINGS, type SinkTimings } from './lot.ts';
import { jittered, STOP_TIMEOUT_MS, type ReplicationPorts, type Source } from './ports.ts';
import { SourceFigures, type SourceCounts } from './source-figures.ts';
import { SourceNode, type SourceNodeStatus } from './source-node.ts';
import { SourceQueue } from './source-queue.ts';

export interface SinkStatus extends SourceCounts {
  readonly isPaused: boolean;
  readonly workers: number;
  /** How far this node is behind the source. */
  readonly lagMs: number;
  readonly nodes: readonly SourceNodeStatus[];
}

/** Of one node, before the next has its turn. */
const LOTS_AT_ONCE = 16;
const REST_FIRST_MS = 50;
const REST_MAX_MS = 1_000;

export class Sink {
  readonly figures: SourceFigures;
  readonly #ports: ReplicationPorts;
  readonly #source: Source;
  readonly #login: CurrentLogin;
  readonly #timings: SinkTimings;
  readonly #nodes: readonly SourceNode[];
  readonly #halt = new Halt();
  readonly #open = new Set<SourceQueue>();
  /** Ends a pause. */
  #paused: Halt | undefined;
  #running: Promise<unknown> | undefined;

  /** Throws a `config` fault where the certificates cannot be used. */
  constructor(ports: ReplicationPorts, source: Source, timings: SinkTimings = SINK_TIMINGS) {
    this.#ports = ports;
    this.#source = source;
    this.#login = new CurrentLogin(source);
    this.#timings = timings;
    this.figures = new SourceFigures(ports.host, source.name);
    this.#nodes = source.nodes.map((address) => new SourceNode(address, ports.host.clock));
  }

  /** `onBug` is told of what must stop the node. */
  start(onBug: (error: unknown) => void): void {
    const workers = Array.from({ length: this.#source.workers }, (_, index) => this.#work(index));
    this.#running = Promise.all(workers).catch(onBug);
  }

  /** What was fetched and is not safe here goes back to the source. Idempotent. */
  async stop(): Promise<void> {
    this.#halt.set();
    this.resume();
    for (const queue of this.#open) queue.close();
    await Promise.race([this.#running, sleep(this.#ports.host.clock, STOP_TIMEOUT_MS)]);
  }

  pause(): void {
    this.#paused ??= new Halt();
  }

  resume(): void {
    this.#paused?.set();
    this.#paused = undefined;
  }

  status(): SinkStatus {
    return {
      isPaused: this.#paused !== undefined,
      workers: this.#source.workers,
      lagMs: this.lagMs(),
      nodes: this.#nodes.map((node) => node.status()),
      ...this.figures.counts(),
    };
  }

  /** Of what is known: who cannot be asked may have had a write right after the last answer. */
  lagMs(): number {
    if (!this.#ports.node.isMember()) return 0;
    const silentMs = Math.max(...this.#nodes.map((node) => node.silentMs));
    return Math.max(this.figures.lagMs, silentMs > this.#timings.roundMs ? silentMs : 0);
  }

  /** One worker, with its own connections. */
  async #work(index: number): Promise<void> {
    const { host } = this.#ports;
    const queues = new Map<SourceNode, SourceQueue>();
    let turn = index + host.random.integer(this.#nodes.length);
    let restMs = REST_FIRST_MS;
    let idle = 0;
    while (!this.#halt.isSet) {
      if (this.#paused !== undefined) {
        this.#closeAll(queues);
        await this.#paused.wait(host.clock, REST_MAX_MS);
        continue;
      }
      if (!this.#ports.node.isMember()) {
        // What it fetched it could only give back, half a minute later.
        this.#closeAll(queues);
        await this.#halt.wait(host.clock, REST_MAX_MS);
        continue;
      }
      const node = this.#nodes[turn % this.#nodes.length] as SourceNode;
      turn += 1;
      const leave = node.enter();
      const hasFetched = leave !== undefined && (await this.#visit(node, queues));
      leave?.();
      idle = hasFetched ? 0 : idle + 1;
      if (hasFetched) restMs = REST_FIRST_MS;
      if (idle < this.#nodes.length) continue;
      idle = 0;
      this.figures.noteEmpty();
      await this.#halt.wait(host.clock, jittered(host, restMs));
      restMs = Math.min(REST_MAX_MS, 2 * restMs);
    }
    this.#closeAll(queues);
  }

  /** Whether there was anything. */
  async #visit(node: SourceNode, queues: Map<SourceNode, SourceQueue>): Promise<boolean> {
    let hasFetched = false;
    try {
      const queue = this.#queueAt(node, queues);
      for (let lots = 0; lots < LOTS_AT_ONCE && !this.#isHeld(); lots += 1) {
        const items = await queue.fetch();
        this.#noteAnswer(node);
        if (items.length === 0) break;
        hasFetched = true;
        const left = await new Lot(this.#ports, this.figures, this.#halt, this.#timings).absorb(
          items,
        );
        if (left === undefined) break;
        if (left.length === 0) continue;
        await queue.push(left);
        this.figures.noteGivenBack(left.length);
      }
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#close(node, queues);
      if (!this.#halt.isSet) this.#noteFailure(node, error);
    }
    return hasFetched;
  }

  /** The worker's connection. */
  #queueAt(node: SourceNode, queues: Map<SourceNode, SourceQueue>): SourceQueue {
    const known = queues.get(node);
    if (known !== undefined && !known.isClosed) return known;
    this.#close(node, queues);
    const { queue: name } = this.#source;
    const login = this.#login.get();
    const place = { address: node.address, queue: name, login };
    const queue = new SourceQueue(this.#ports.dialler, place);
    queues.set(node, queue);
    this.#open.add(queue);
    return queue;
  }

  #isHeld(): boolean {
    return this.#halt.isSet || this.#paused !== undefined || !this.#ports.node.isMember();
  }

  #noteAnswer(node: SourceNode): void {
    if (node.trouble !== undefined) {
      const { name: source } = this.#source;
      this.#ports.host.log.info('replication.source-answers', { source, peer: node.name });
    }
    node.noteAnswer();
  }

  #noteFailure(node: SourceNode, { code, message }: Fault): void {
    const { host } = this.#ports;
    const { name: source } = this.#source;
    host.metrics.count(`replication_fetches_failed_total{source="${source}"}`);
    if (node.trouble === undefined) {
      host.log.warn('replication.source-failed', { source, peer: node.name, code, message });
    }
    node.noteFailure(message);
  }

  #close(node: SourceNode, queues: Map<SourceNode, SourceQueue>): void {
    const queue = queues.get(node);
    if (queue === undefined) return;
    queues.delete(node);
    this.#open.delete(queue);
    queue.close();
  }

  #closeAll(queues: Map<SourceNode, SourceQueue>): void {
    for (const node of queues.keys()) this.#close(node, queues);
  }
}
