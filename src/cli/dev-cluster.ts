/**
 * A cluster on this machine: each node a process, started together and stopped together.
 *
 * `vertebra dev`, the demo, the benches and the cluster tests all run their nodes through it.
 */

import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { askNode } from '../admin/admin-client.ts';
import { adminSocketPath } from '../admin/admin-socket.ts';
import { makeFolders } from '../storage/make-folders.ts';
import { ChildNode } from './child-node.ts';

export interface DevNode {
  readonly name: string;
  readonly host: string;
  readonly httpPort: number;
  readonly pbcPort: number;
  readonly peerPort: number;
  readonly dataFolder: string;
}

export interface DevClusterOptions {
  readonly configPath: string;
  readonly nodes: readonly DevNode[];
  /** The compiled entry point, `main.js`. */
  readonly entryPoint: string;
  /** Default 60,000. */
  readonly readyTimeoutMs?: number;
  /** The command that runs another one on a node's host, where that is not this machine. */
  readonly prefixOf?: (node: DevNode) => readonly string[];
}

const STOP_TIMEOUT_MS = 30_000;
const BUCKET_TYPE_TIMEOUT_MS = 30_000;

export class DevCluster {
  readonly nodes: readonly DevNode[];
  readonly #options: DevClusterOptions;
  readonly #children = new Map<string, ChildNode>();

  constructor(options: DevClusterOptions) {
    this.nodes = options.nodes;
    this.#options = options;
  }

  /** Those that have been started, the last process of each. */
  get children(): readonly ChildNode[] {
    return [...this.#children.values()];
  }

  /** Rejects with one sentence that names the port or folder that is in the way. */
  async requireRoom(): Promise<void> {
    for (const node of this.nodes) {
      makeFolder(node.dataFolder);
      // Those of another host cannot be tried from here.
      if (this.#options.prefixOf === undefined) await requireFreePorts(node);
    }
  }

  /** Rejects as `requireRoom` does, or where a node does not become ready. */
  async start(): Promise<void> {
    await this.requireRoom();
    for (const node of this.nodes) this.launch(node);
    const timeoutMs = this.#options.readyTimeoutMs ?? 60_000;
    try {
      await withTimeout(
        Promise.all([...this.#children.values()].map((child) => child.ready())),
        timeoutMs,
      );
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Starts one node (again), without waiting for it. */
  launch(node: DevNode): ChildNode {
    const child = new ChildNode({
      name: node.name,
      configPath: this.#options.configPath,
      entryPoint: this.#options.entryPoint,
      logPath: join(node.dataFolder, 'node.log'),
      prefix: this.#options.prefixOf?.(node) ?? [],
    });
    this.#children.set(node.name, child);
    return child;
  }

  mustChild(name: string): ChildNode {
    const child = this.#children.get(name);
    if (child === undefined) throw new Error(`${name} is not a node of this cluster`);
    return child;
  }

  /** Creates and activates types that are not there yet. */
  async ensureBucketTypes(types: Readonly<Record<string, unknown>>): Promise<void> {
    const first = this.nodes[0];
    if (first === undefined) return;
    for (const [type, properties] of Object.entries(types)) {
      await askNode(
        adminSocketPath(first.dataFolder),
        { command: 'bucket-type ensure', arguments: { type, properties } },
        BUCKET_TYPE_TIMEOUT_MS,
      );
    }
  }

  /** Resolves when some node has stopped that nobody asked to stop. */
  async anyExited(): Promise<ChildNode> {
    const exits = [...this.#children.values()].map(async (child) => {
      await child.exited();
      return child;
    });
    return Promise.race(exits);
  }

  /** True if every node stopped cleanly. */
  async stop(): Promise<boolean> {
    const children = [...this.#children.values()];
    const codes = await Promise.all(children.map((child) => child.stop(STOP_TIMEOUT_MS)));
    return codes.every((code) => code === 0);
  }
}

function makeFolder(folder: string): void {
  try {
    makeFolders(folder);
    if (!statSync(folder).isDirectory()) throw new Error('it is not a folder');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`the data folder ${folder} cannot be used: ${why}`, { cause: error });
  }
}

async function requireFreePorts(node: DevNode): Promise<void> {
  const ports = [
    ['http_port', node.httpPort],
    ['pbc_port', node.pbcPort],
    ['peer_port', node.peerPort],
  ] as const;
  for (const [field, port] of ports) {
    const fault = await tryListen(node.host, port);
    if (fault === undefined) continue;
    const why = fault.code === 'EADDRINUSE' ? 'is in use' : `cannot be opened (${fault.message})`;
    throw new Error(`port ${port} (${field} of ${node.name}, ${node.host}) ${why}`);
  }
}

function tryListen(host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error);
    });
    probe.listen(port, host, () => {
      probe.close(() => {
        resolve(undefined);
      });
    });
  });
}

async function withTimeout(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`the nodes did not become ready within ${timeoutMs} ms`));
    }, timeoutMs);
  });
  try {
    await Promise.race([work, timeUp]);
  } finally {
    clearTimeout(timer);
  }
}
