/**
 * One running node: the only place where the real parts are put together.
 *
 * Opened from the bottom up (store, node, links, the two client APIs, the admin socket) and closed
 * from the top down: no new requests, then those under way, then the store.
 */

import { join } from 'node:path';
import { DEFAULT_CIPHERS } from 'node:tls';
import { AdminServer, type AdminCommand } from '../admin/admin-server.ts';
import { adminSocketPath } from '../admin/admin-socket.ts';
import { backupCommands } from '../admin/backup-commands.ts';
import { bucketTypeCommands } from '../admin/bucket-type-commands.ts';
import type { PeerReport } from '../admin/cluster-status.ts';
import { clusterCommands } from '../admin/cluster-commands.ts';
import { hotKeyCommands } from '../admin/hot-key-commands.ts';
import { keyCommands } from '../admin/key-commands.ts';
import { rateCommands } from '../admin/rate-commands.ts';
import { repairCommands } from '../admin/repair-commands.ts';
import { replicationCommands } from '../admin/replication-commands.ts';
import { ringCommands } from '../admin/ring-commands.ts';
import { slowLogCommands } from '../admin/slow-log-commands.ts';
import { securityCommands } from '../admin/security-commands.ts';
import { statusCommands } from '../admin/status-commands.ts';
import { HttpServer } from '../api/http/http-server.ts';
import { HTTP_DEFAULTS } from '../api/http/http-options.ts';
import { PbcServer } from '../api/pbc/pbc-server.ts';
import type { BackupOrigin } from '../backup/backup-manifest.ts';
import { Backups } from '../backup/backups.ts';
import { sleep, type Host } from '../base/host.ts';
import type { ClusterConfig, NodeConfig } from '../config/cluster-config.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import { initialState } from '../membership/initial-state.ts';
import { FolderHooks } from '../hooks/folder-hooks.ts';
import { KeyFingerprint } from '../node/key-fingerprint.ts';
import { SlowLog } from '../node/slow-log.ts';
import { VertebraNode } from '../node/node.ts';
import { NODE_TIMINGS } from '../node/node-options.ts';
import type { NodeOptions, NodeTimings } from '../node/node-options.ts';
import type { Sinks } from '../replication/sinks.ts';
import type { StoreSnapshot } from '../storage/store-snapshot.ts';
import type { LevelDbStore } from '../storage/leveldb-store.ts';
import { isWellFormedKey } from '../storage/key-form.ts';
import { openLevelDbStore } from '../storage/open-leveldb.ts';
import type { MetricsRegistry } from '../telemetry/metrics-registry.ts';
import { snapshotToOpenMetrics } from '../telemetry/metrics-text.ts';
import { CLIENT_CERTIFICATES, CertificateFiles } from '../transport/certificate-files.ts';
import { GrpcPeer } from '../transport/grpc-peer.ts';
import { PeerCertificates } from '../transport/peer-certificates.ts';
import { PROTOCOL_FROM, PROTOCOL_TO } from '../transport/handshake.ts';
import { PeerServer } from '../transport/peer-server.ts';
import { WorkerScripts } from '../script/worker-scripts.ts';
import { diskSpaceOf, reserveAt } from './disk-space.ts';
import { NodeAudit } from './node-audit.ts';
import { showNode } from './node-gauges.ts';
import { NodeGrowth } from './node-growth.ts';
import { followMembers, linkEvents, newNodeGate } from './node-links.ts';
import {
  openSinks,
  queuesIn,
  readSources,
  removeOldQueues,
  type OpenSources,
} from './node-replication.ts';
import { nodeStats } from './node-stats.ts';
import { NodeTracing } from './node-tracing.ts';
import { RELEASE } from './release.ts';

/** What a request takes beside the object in it. */
const FRAME_OVERHEAD_BYTES = 1024 * 1024;

export interface RuntimeOptions {
  readonly config: ClusterConfig;
  readonly self: NodeConfig;
  readonly host: Host;
  readonly metrics: MetricsRegistry;
  /** Of what the process has beside its node: the log, the configuration. */
  readonly commands: ReadonlyMap<string, AdminCommand>;
  /** The data folder was restored from a copy; the store cannot tell that by itself. */
  readonly isRestored: boolean;
  /** Told that the disk is an older copy: the process must end, and be started again. */
  readonly onOutdated: (reason: string) => void;
  /** Told of a bug: the node must not go on. */
  readonly onBug: (error: unknown) => void;
}

/** What a node is made of that takes a while to open. */
interface OpenedFirst {
  readonly store: LevelDbStore;
  readonly commitHooks: NodeOptions['commitHooks'] | undefined;
  readonly fingerprint: KeyFingerprint;
  readonly tracing: NodeTracing | undefined;
  readonly sources: OpenSources;
}

export class NodeRuntime {
  readonly node: VertebraNode;
  readonly #options: RuntimeOptions;
  readonly #store: LevelDbStore;
  readonly #certificates: PeerCertificates;
  readonly #clientCertificates: CertificateFiles | undefined;
  readonly #peer: GrpcPeer;
  readonly #peerServer: PeerServer;
  readonly #http: HttpServer;
  readonly #pbc: PbcServer;
  readonly #scripts: WorkerScripts | undefined;
  readonly #backups: Backups;
  readonly #fingerprint: KeyFingerprint;
  readonly #slowLog: SlowLog;
  readonly #audit: NodeAudit;
  readonly #growth: NodeGrowth;
  readonly #tracing: NodeTracing | undefined;
  readonly #sinks: Sinks;
  readonly #secrets: OpenSources['secrets'];
  #admin: AdminServer | undefined;
  #peersListening: Promise<unknown> | undefined;

  private constructor(options: RuntimeOptions, opened: OpenedFirst) {
    const { config, host, self } = options;
    const { store, commitHooks, fingerprint, tracing, sources } = opened;
    this.#options = options;
    this.#store = store;
    this.#fingerprint = fingerprint;
    this.#tracing = tracing;
    const gate = newNodeGate(host, () => this.node, {
      release: RELEASE,
      verifiesNames: config.peerTls?.verifiesNames ?? false,
    });
    const certificates = new PeerCertificates(host, config.peerTls);
    this.#certificates = certificates;
    this.#clientCertificates = clientCertificatesOf(options);
    const { keepaliveMs, handshakeTimeoutMs } = config.peer;
    this.#peer = new GrpcPeer(host, gate, {
      ...config.peer,
      credentials: () => certificates.client(),
      ...linkEvents(() => this.node),
    });
    this.#scripts = config.hasScripts ? new WorkerScripts(host) : undefined;
    this.#audit = new NodeAudit(host, config.audit, self);
    this.node = new VertebraNode(host, store, this.#peer, {
      id: self.name,
      ...(commitHooks === undefined ? {} : { commitHooks }),
      scripts: this.#scripts,
      initialState: configuredState(config),
      joinPort: this.#peer,
      mayHaveForgotten: store.mayHaveForgotten || options.isRestored,
      isMended: store.isMended,
      inCoverage: self.inCoverage,
      outdated: options.onOutdated,
      stateChanged: (state) => this.#stateChanged(state),
      repair: { reaper: { deleteMode: deleteMode(config) }, transfers: config.transfers },
      replication: queuesIn(self.dataDir, config.replication),
      refused: this.#audit.refused,
      diskSpace: () => diskSpaceOf(self.dataDir),
      diskGuard: config.disk,
      tracer: tracing?.tracer,
      limits: {
        requestsMax: config.limits.requests,
        objectSizeMaxBytes: config.limits.objectSizeBytes,
        siblingsMax: config.limits.siblings,
      },
      timings: timingsOf(config),
    });
    this.#secrets = sources.secrets;
    this.#sinks = openSinks(host, options.metrics, { node: this.node, ...sources });
    this.#backups = this.#newBackups();
    this.#growth = new NodeGrowth(host, {
      storeBytes: () => store.sizeBytes(),
      diskSpace: () => diskSpaceOf(self.dataDir),
    });
    this.#peerServer = new PeerServer({ host, gate }, this.node, {
      credentials: certificates.server,
      joins: this.node,
      concurrency: config.peer.concurrency,
      keepaliveMs,
      handshakeTimeoutMs,
    });
    this.#slowLog = new SlowLog(host, this.#fingerprint, config.slowLog);
    this.#http = this.#newHttp();
    this.#pbc = this.#newPbc();
  }

  /** Resolves when clients are served; rejects with a fault whose message an operator can act on. */
  static async start(options: RuntimeOptions): Promise<NodeRuntime> {
    const { config, host, self } = options;
    const { hooks } = config;
    const commitHooks = hooks && (await FolderHooks.load(host, hooks.folder, hooks));
    const fingerprint = new KeyFingerprint(host.random);
    const tracing =
      config.tracing && (await NodeTracing.start(options, config.tracing, fingerprint));
    const sources = await readSources(host, config.replication);
    const store = await openLevelDbStore(host, {
      folder: `${self.dataDir}/store`,
      durability: config.durability,
      isKey: isWellFormedKey,
      ...config.store,
    });
    // The store is open: no other process has the folder.
    await removeOldQueues(host, self.dataDir, config.replication);
    const runtime = new NodeRuntime(options, { store, commitHooks, fingerprint, tracing, sources });
    try {
      await runtime.#open();
    } catch (error) {
      await runtime.stop();
      throw error;
    }
    return runtime;
  }

  /**
   * Before `stop`: serves on for the configured time while `/readyz` sends clients elsewhere, so that
   * who balances the load has looked before the ports close.
   */
  async drain(): Promise<void> {
    const { config, host } = this.#options;
    this.node.notice = 'the node is about to stop';
    await sleep(host.clock, config.timeouts.drainMs);
  }

  /** Idempotent; what is under way is finished within the configured time. */
  async stop(): Promise<void> {
    const graceMs = this.#options.config.timeouts.shutdownMs / 2;
    await Promise.all([
      this.#admin?.close(),
      this.#http.close(graceMs),
      this.#pbc.close(),
      this.#backups.cancel(),
      this.#sinks.stop(),
    ]);
    this.#growth.stop();
    this.#scripts?.close();
    await this.#audit.stop();
    await this.node.stop();
    this.#certificates.close();
    this.#clientCertificates?.close();
    for (const secrets of this.#secrets) secrets.close();
    this.#peerServer.close();
    this.#peer.close();
    await this.#tracing?.close();
  }

  /**
   * Takes new certificates for the links between nodes and for clients, and what this node logs in with elsewhere, if
   * there are any.
   */
  reloadSecrets(): void {
    this.#certificates.reload();
    this.#clientCertificates?.reload();
    for (const secrets of this.#secrets) void secrets.reload();
  }

  async #open(): Promise<void> {
    const { self } = this.#options;
    await this.node.start();
    // Its new identity and its doubts are on stable storage.
    await this.#store.endCopy();
    await this.#audit.start();
    showNode(this.#options.metrics, this.node);
    await this.#growth.start();
    await this.#backups.recall();
    this.#certificates.watch();
    this.#clientCertificates?.watch();
    for (const secrets of this.#secrets) secrets.watch();
    await this.#peersListening;
    await this.#http.listen({ host: self.listenHost, port: self.httpPort });
    await this.#listenSecurely();
    await this.#pbc.listen({ host: self.listenHost, port: self.pbcPort });
    this.#admin = await AdminServer.listen(
      adminSocketPath(self.dataDir),
      this.#audit.around(this.#commands()),
      this.#options.metrics,
    );
    this.#sinks.start(this.#options.onBug);
  }

  #commands(): Map<string, AdminCommand> {
    return new Map([
      ...bucketTypeCommands(this.node),
      ...clusterCommands(this.node, () => this.#peerReports()),
      ...statusCommands(this.node, this.node.operations()),
      ...ringCommands(this.node, this.node.operations(), () => this.#peerReports()),
      ...keyCommands({
        operator: this.node.operations(),
        clients: this.node,
        keepsTombstones: deleteMode(this.#options.config) === 'keep',
        fingerprint: this.#fingerprint,
      }),
      ...slowLogCommands(this.#slowLog),
      ...hotKeyCommands(this.node.hotKeys, this.#fingerprint),
      ...repairCommands(this.node, this.node.operations()),
      ...rateCommands(() => this.node.operations().rates()),
      ...replicationCommands(this.node.replication, this.#sinks),
      ...securityCommands(this.node, {
        hasClientTls: this.#clientCertificates !== undefined,
        ciphers: this.#options.config.clientTls?.ciphers ?? DEFAULT_CIPHERS,
      }),
      ...backupCommands(this.#backups),
      ...this.#options.commands,
      ['capacity', () => this.node.operations().holdings()],
      ['metrics', async () => snapshotToOpenMetrics(this.#options.metrics.snapshot())],
    ]);
  }

  async #listenSecurely(): Promise<void> {
    const { listenHost, httpsPort } = this.#options.self;
    if (httpsPort === undefined || this.#clientCertificates === undefined) return;
    const address = { host: listenHost, port: httpsPort };
    await this.#http.listenSecurely(address, this.#clientCertificates);
  }

  /** Links follow the members; the port opens when this node can say who it is. */
  #stateChanged(state: ClusterState): void {
    const { self } = this.#options;
    followMembers({ self: self.name, state }, this.#peer, this.#peerServer);
    if (this.#peersListening !== undefined || this.node.introduction() === undefined) return;
    this.#peersListening = this.#peerServer.listen({ host: self.listenHost, port: self.peerPort });
    // Awaited when the node has started; a rejection must not stop the process before that.
    this.#peersListening.catch(() => undefined);
  }

  #newHttp(): HttpServer {
    const { config, host, self, metrics, onBug } = this.#options;
    return new HttpServer(host, this.node, {
      ...HTTP_DEFAULTS,
      bodyLimitBytes: config.limits.bodySizeBytes,
      headerLimitBytes: config.limits.headerSizeBytes,
      connectionsMax: config.limits.connections,
      idleTimeoutMs: config.timeouts.idleMs,
      disabledJobs: config.disabledJobs,
      scripts: this.#scripts,
      slowLog: this.#slowLog,
      tracer: this.#tracing?.tracer,
      stats: nodeStats({ ...this.#options, node: this.node, dataFolder: self.dataDir }),
      metrics: () => snapshotToOpenMetrics(metrics.snapshot()),
      onBug,
    });
  }

  #newPbc(): PbcServer {
    const { config, host, onBug } = this.#options;
    return new PbcServer(host, this.node, {
      frameSizeMaxBytes: config.limits.bodySizeBytes + FRAME_OVERHEAD_BYTES,
      connectionsMax: config.limits.connections,
      idleTimeoutMs: config.timeouts.pbcIdleMs,
      closeTimeoutMs: config.timeouts.shutdownMs / 2,
      certificates: this.#clientCertificates,
      disabledJobs: config.disabledJobs,
      scripts: this.#scripts,
      slowLog: this.#slowLog,
      tracer: this.#tracing?.tracer,
      onBug,
    });
  }

  #newBackups(): Backups {
    const origin = (): BackupOrigin => {
      const { clusterName, epoch } = this.node.state();
      return { node: this.#options.self.name, cluster: clusterName, epoch };
    };
    const snapshot = (): StoreSnapshot => this.#store.snapshot();
    const { host, config, self } = this.#options;
    const { dataDir } = self;
    const notePath = join(dataDir, 'last-backup');
    const reserve = (folder: string): Promise<number> =>
      reserveAt(folder, { dataDir, ...config.disk });
    return new Backups(host, { snapshot, origin, notePath, reserveAt: reserve });
  }

  #peerReports(): PeerReport[] {
    const protocol = [PROTOCOL_FROM, PROTOCOL_TO] as const;
    const own = { node: this.node.id, release: RELEASE, protocol, linkFailure: undefined };
    const others = this.#peer.links().map(({ node, isOpen, reason, hello }): PeerReport => ({
      node,
      release: hello?.release,
      protocol: hello && [hello.protocolFrom, hello.protocolTo],
      linkFailure: isOpen ? undefined : reason,
    }));
    return [own, ...others];
  }
}

function clientCertificatesOf({ config, host }: RuntimeOptions): CertificateFiles | undefined {
  const { clientTls } = config;
  return clientTls && new CertificateFiles(host, clientTls, CLIENT_CERTIFICATES);
}

function timingsOf(config: ClusterConfig): Partial<NodeTimings> {
  return {
    requestTimeoutMs: config.timeouts.requestMs,
    heartbeatMs: config.peer.heartbeatIntervalMs,
    // Clients' connections have had the first half, and the store takes its time to close.
    drainTimeoutMs: Math.min(NODE_TIMINGS.drainTimeoutMs, config.timeouts.shutdownMs / 4),
    repairStopMs: Math.min(NODE_TIMINGS.repairStopMs, config.timeouts.shutdownMs / 8),
    missesMax: Math.max(2, Math.round(config.peer.downAfterMs / config.peer.heartbeatIntervalMs)),
  };
}

function deleteMode({ deleteMode: mode }: ClusterConfig): 'immediate' | 'keep' | number {
  return mode.kind === 'after' ? mode.delayMs : mode.kind;
}

function configuredState(config: ClusterConfig): ClusterState {
  return initialState({
    clusterName: config.clusterName,
    ringSize: config.ringSize,
    members: config.nodes.map(({ name, host, httpPort, pbcPort, peerPort, location }) => ({
      id: name,
      host,
      httpPort,
      pbcPort,
      peerPort,
      location,
    })),
    defaultProperties: config.bucketDefaults,
  }).state;
}
