/**
 * Two nodes in one process, linked by real gRPC over the loopback interface.
 */

import { sleep } from '../../src/base/host.ts';
import type { Clock, Host } from '../../src/base/host.ts';
import type { Epoch, NodeId } from '../../src/base/names.ts';
import type { PeerHandler } from '../../src/peer/peer.ts';
import { MetricsRegistry } from '../../src/telemetry/metrics-registry.ts';
import { LogLevels } from '../../src/base/log-levels.ts';
import { PinoLog } from '../../src/telemetry/pino-log.ts';
import { SystemClock, SystemRandom } from '../../src/telemetry/system-host.ts';
import { PeerCertificates } from '../../src/transport/peer-certificates.ts';
import type { PeerTls } from '../../src/transport/peer-certificates.ts';
import { GrpcPeer } from '../../src/transport/grpc-peer.ts';
import type { GrpcPeerOptions } from '../../src/transport/grpc-peer.ts';
import type { Introduction } from '../../src/transport/handshake.ts';
import { PeerGate, type RecalledStart } from '../../src/transport/peer-gate.ts';
import { PeerServer } from '../../src/transport/peer-server.ts';
import type { PeerServerOptions } from '../../src/transport/peer-server.ts';
import type { PeerFactory, PeerFixture } from '../peer/peer-compliance.ts';

export const ASKER = 'asker@127.0.0.1' as NodeId;
export const ANSWERER = 'answerer@127.0.0.1' as NodeId;

export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

/** One end: its gate, what it logged and counted. */
export class End {
  readonly host: Host;
  readonly metrics: MetricsRegistry;
  readonly lines: LogLine[] = [];
  gate: PeerGate;
  introduction: Introduction;
  members: readonly NodeId[] = [ASKER, ANSWERER];
  recall: (node: NodeId) => RecalledStart | undefined = () => undefined;

  constructor(node: NodeId, introduction: Partial<Introduction> = {}) {
    const clock = new SystemClock({ isHoldingProcess: true });
    this.metrics = new MetricsRegistry(new SystemClock());
    const log = new PinoLog(
      { node, levels: new LogLevels(clock, 'debug') },
      { write: (line) => this.lines.push(JSON.parse(line) as LogLine) },
    );
    this.host = { clock, random: new SystemRandom(), log, metrics: this.metrics };
    this.introduction = {
      clusterName: 'test',
      node,
      identity: `store of ${node}`,
      incarnation: 1,
      epoch: 1 as Epoch,
      release: '0.1.0',
      ...introduction,
    };
    this.gate = this.#newGate(false);
  }

  /** From now on callers must show certificates for their names; before anything is served. */
  verifyNames(): void {
    this.gate = this.#newGate(true);
  }

  #newGate(verifiesNames: boolean): PeerGate {
    return new PeerGate(this.host, {
      introduce: () => this.introduction,
      isMember: (name) => this.members.includes(name),
      verifiesNames,
      recall: (name) => this.recall(name),
    });
  }

  counted(name: string): number {
    return this.metrics.snapshot().counters.get(name)?.total ?? 0;
  }

  events(event: string): LogLine[] {
    return this.lines.filter((line) => line.event === event);
  }
}

export interface PairOptions {
  readonly asker?: Partial<Introduction>;
  readonly answerer?: Partial<Introduction>;
  readonly client?: Partial<GrpcPeerOptions>;
  readonly server?: Partial<PeerServerOptions>;
  readonly askerTls?: PeerTls;
  readonly answererTls?: PeerTls;
  /** Whether the answerer verifies names. */
  readonly verifiesNames?: boolean;
  /** What the asker dials instead of the answerer's own port. */
  readonly via?: (port: number) => Promise<number>;
}

/** `ASKER` dials `ANSWERER`, whose handler answers. */
export class Pair {
  readonly asker: End;
  readonly answerer: End;
  readonly peer: GrpcPeer;
  readonly askerCertificates: PeerCertificates;
  readonly answererCertificates: PeerCertificates;
  server: PeerServer;
  readonly #handler: PeerHandler;
  readonly #options: PairOptions;
  port = 0;

  constructor(handler: PeerHandler, options: PairOptions = {}) {
    this.#handler = handler;
    this.#options = options;
    this.asker = new End(ASKER, options.asker);
    this.answerer = new End(ANSWERER, options.answerer);
    if (options.verifiesNames === true) this.answerer.verifyNames();
    this.askerCertificates = new PeerCertificates(this.asker.host, options.askerTls);
    this.answererCertificates = new PeerCertificates(this.answerer.host, options.answererTls);
    this.peer = new GrpcPeer(this.asker.host, this.asker.gate, {
      credentials: () => this.askerCertificates.client(),
      reconnectDelayMaxMs: 100,
      ...options.client,
    });
    this.server = this.#newServer();
  }

  /** Starts the server and dials it; `isLinked` waits for the link. */
  async start(): Promise<this> {
    await this.serve();
    const port = (await this.#options.via?.(this.port)) ?? this.port;
    this.peer.setPeers(new Map([[ANSWERER, { host: '127.0.0.1', port }]]));
    return this;
  }

  async serve(): Promise<void> {
    this.port = await this.server.listen({ host: '127.0.0.1', port: this.port });
  }

  /** The answerer's process is gone and comes back, on the same port. */
  async restart(introduction: Partial<Introduction> = {}): Promise<void> {
    this.server.close();
    await this.until(() => !this.peer.isLinked(ANSWERER));
    this.answerer.introduction = { ...this.answerer.introduction, ...introduction };
    this.server = this.#newServer();
    await this.serve();
  }

  /** Gives the link up and dials anew. */
  redial(): void {
    this.peer.setPeers(new Map());
    this.peer.setPeers(new Map([[ANSWERER, { host: '127.0.0.1', port: this.port }]]));
  }

  isLinked(): Promise<void> {
    return this.until(() => this.peer.isLinked(ANSWERER));
  }

  async until(condition: () => boolean): Promise<void> {
    const { clock } = this.asker.host;
    const deadlineMs = clock.monotonicMs() + 10_000;
    while (!condition()) {
      if (clock.monotonicMs() > deadlineMs) throw new Error('the condition never held');
      await sleep(clock, 2);
    }
  }

  close(): void {
    this.peer.close();
    this.server.close();
    this.asker.metrics.close();
    this.answerer.metrics.close();
  }

  #newServer(): PeerServer {
    const { host, gate } = this.answerer;
    return new PeerServer({ host, gate }, this.#handler, {
      credentials: this.answererCertificates.server,
      ...this.#options.server,
    });
  }
}

/** For the compliance suite. */
export const grpcPeerFactory: PeerFactory = {
  async open(handler: PeerHandler): Promise<PeerFixture> {
    const pair = await new Pair(handler).start();
    await pair.isLinked();
    const clock: Clock = pair.asker.host.clock;
    return {
      peer: pair.peer,
      source: ASKER,
      target: ANSWERER,
      absent: 'absent@127.0.0.1' as NodeId,
      clock,
      until: (work) => work,
      close: () => {
        pair.close();
        return Promise.resolve();
      },
    };
  },
};
