/**
 * A node of a chaos run: a real process, on a host of its own where the machine allows it.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { askNode } from '../../../src/admin/admin-client.ts';
import { adminSocketPath } from '../../../src/admin/admin-socket.ts';
import type { DevNode } from '../../../src/cli/dev-cluster.ts';
import { ENTRY_POINT } from '../local-cluster.ts';

const ADMIN_TIMEOUT_MS = 20_000;
const DAMAGES_PER_FILE = 8;

export interface NodePlace {
  readonly configPath: string;
  readonly node: DevNode;
  /** The command that runs another one on the node's host. */
  readonly prefix: readonly string[];
  /** Where its log goes, outside its data folder, which may be full or lost. */
  readonly logPath: string;
}

export class NodeProcess {
  readonly node: DevNode;
  readonly #place: NodePlace;
  #child: ChildProcess | undefined;
  #exited: Promise<number | null> = Promise.resolve(0);

  constructor(place: NodePlace) {
    this.#place = place;
    this.node = place.node;
  }

  /** Resolves when it serves; rejects with its own words when it cannot. */
  start(): Promise<void> {
    const { configPath, node, prefix, logPath } = this.#place;
    mkdirSync(node.dataFolder, { recursive: true });
    const words = [...prefix, process.execPath, ENTRY_POINT];
    const [command = '', ...before] = words;
    const log = openSync(logPath, 'a');
    const child = spawn(
      command,
      [...before, 'start', '--config', configPath, '--node', node.name],
      {
        stdio: ['ignore', log, log, 'ipc'],
      },
    );
    closeSync(log);
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code) => {
        resolve(code);
      });
    });
    return new Promise((resolve, reject) => {
      child.on('message', (message) => {
        const { kind, reason } = message as { kind?: string; reason?: string };
        if (kind === 'ready') resolve();
        if (kind === 'failed') reject(new Error(reason));
      });
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        reject(new Error(`${node.name} stopped (${signal ?? code}); its log is ${logPath}`));
      });
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  /** Gone from one moment to the next. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#exited;
  }

  /** The exit code of a stop as an operator asks for it. */
  async stop(): Promise<number | null> {
    this.signal('SIGTERM');
    return this.#exited;
  }

  /** All that it has stored, as a new disk would have it. */
  loseDisk(): void {
    rmSync(join(this.node.dataFolder, 'store'), { recursive: true, force: true });
  }

  /** Changes bytes in every table and every value-log segment; how many there were. */
  damageStore(): number {
    const store = join(this.node.dataFolder, 'store');
    const files = readdirSync(store, { recursive: true, encoding: 'utf8' });
    const harmed = files.filter((name) => /\.(ldb|vlog)$/.test(name));
    for (const name of harmed) {
      const path = join(store, name);
      const bytes = readFileSync(path);
      const step = Math.ceil(bytes.length / DAMAGES_PER_FILE);
      for (let at = step >> 1; at < bytes.length; at += step) bytes[at] = ~(bytes[at] ?? 0) & 0xff;
      writeFileSync(path, bytes);
    }
    return harmed.length;
  }

  ask(command: string, options: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const path = adminSocketPath(this.node.dataFolder);
    return askNode(path, { command, arguments: options }, ADMIN_TIMEOUT_MS);
  }
}
