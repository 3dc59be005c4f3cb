/**
 * A node as a child process of `vertebra dev`.
 *
 * The child runs `vertebra start` and says over the IPC channel when it serves, or in one sentence
 * why it cannot. Its log goes to a file in its data folder. When the parent dies, the channel closes
 * and the child stops by itself, so no node is left behind.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

/** What a child tells its parent. */
export type ChildMessage =
  { readonly kind: 'ready' } | { readonly kind: 'failed'; readonly reason: string };

export interface ChildNodeOptions {
  readonly name: string;
  readonly configPath: string;
  /** The compiled entry point, `main.js`. */
  readonly entryPoint: string;
  readonly logPath: string;
  /** The command that the node is run by, where it is not to be run here. */
  readonly prefix?: readonly string[];
}

export class ChildNode {
  readonly name: string;
  readonly logPath: string;
  readonly #process: ChildProcess;
  readonly #exited: Promise<number>;
  readonly #ready: Promise<void>;
  #howItEnded = 'it runs';

  constructor(options: ChildNodeOptions) {
    this.name = options.name;
    this.logPath = options.logPath;
    const log = openSync(options.logPath, 'a');
    const [command, ...before] = [...(options.prefix ?? []), process.execPath];
    this.#process = fork(
      options.entryPoint,
      ['start', '--config', options.configPath, '--node', options.name],
      // A process group of its own: Ctrl-C reaches the parent alone, which stops all in order.
      {
        stdio: ['ignore', log, log, 'ipc'],
        detached: true,
        ...(before.length > 0 && { execPath: command, execArgv: before }),
      },
    );
    closeSync(log);
    this.#exited = new Promise((resolve) => {
      this.#process.once('exit', (code) => {
        resolve(code ?? 1);
      });
    });
    this.#ready = new Promise((resolve, reject) => {
      this.#process.on('message', (message) => {
        const { kind, reason } = message as { kind?: string; reason?: string };
        if (kind === 'ready') resolve();
        if (kind === 'failed') reject(new Error(reason));
      });
      this.#process.once('error', reject);
      this.#process.once('exit', (code, signal) => {
        this.#howItEnded = signal ?? `code ${code}`;
        reject(new Error(`${this.name} stopped (${this.#howItEnded}); its log is ${this.logPath}`));
      });
    });
    // Observed by whoever waits; a node that dies later is reported through `exited`.
    this.#ready.catch(() => undefined);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** The signal or the code, once it has ended. */
  get howItEnded(): string {
    return this.#howItEnded;
  }

  /** Resolves when the node serves; rejects with a sentence for the operator. */
  ready(): Promise<void> {
    return this.#ready;
  }

  /** Resolves with the exit code, whenever it comes; a node that was killed counts as 1. */
  exited(): Promise<number> {
    return this.#exited;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Asks the node to stop cleanly; after `timeoutMs` it is killed. Resolves with the exit code. */
  async stop(timeoutMs: number): Promise<number> {
    this.kill('SIGTERM');
    const timer = setTimeout(() => {
      this.kill('SIGKILL');
    }, timeoutMs);
    const code = await this.#exited;
    clearTimeout(timer);
    return code;
  }
}

/** In a child: tells the parent, if there is one. */
export function tellParent(message: ChildMessage): void {
  if (process.send === undefined || !process.connected) return;
  process.send(message, () => {
    // The channel would keep a process that has nothing more to do, and that listens to no signal.
    if (message.kind === 'failed' && process.connected) process.disconnect();
  });
}
