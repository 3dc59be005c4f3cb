/**
 * The command line as an operator or a script runs it: a process, what it prints, how it ends.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { ENTRY_POINT } from './local-cluster.ts';

const DEADLINE_MS = 180_000;

export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class RunningCommand {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #stdout = '';
  #stderr = '';

  constructor(parameters: readonly string[]) {
    this.child = spawn(process.execPath, [ENTRY_POINT, ...parameters], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code) => {
        resolve({ code, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
  }

  /** Resolves when stdout has the line, with all of it; rejects when the command ends before. */
  line(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!this.#stdout.split('\n').slice(0, -1).includes(text)) return;
        clearTimeout(deadline);
        this.child.stdout?.off('data', look);
        resolve(this.#stdout);
      };
      const deadline = setTimeout(() => {
        reject(new Error(`no line ${text} in ${DEADLINE_MS} ms: ${this.#stderr}`));
      }, DEADLINE_MS);
      this.child.stdout?.on('data', look);
      void this.ended.then(({ code, stderr }) => {
        clearTimeout(deadline);
        reject(new Error(`ended with ${code}: ${stderr}`));
      });
      look();
    });
  }
}

export function runCommand(...parameters: readonly string[]): Promise<Ended> {
  return new RunningCommand(parameters).ended;
}

/** The processes that `pid` has started and that still run, as /proc tells. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && parentOf(entry) === pid)
    .map(Number);
}

export function isAlive(pid: number): boolean {
  return parentOf(`${pid}`) !== undefined;
}

/** Undefined for a process that is gone, or dead and not yet buried. */
function parentOf(pid: string): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    if (/^State:\s+[ZX]/m.test(status)) return undefined;
    return Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
  } catch {
    return undefined;
  }
}
