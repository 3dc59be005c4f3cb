/**
 * What a chaos run takes from the machine: hosts with links of their own, and a disk that is small.
 *
 * Each node lives in a network namespace on a bridge of the run's own making, so that a link can really
 * go down; each data folder that must fill up is a tmpfs. Both need the right to make them. Where the
 * machine does not allow it the run says so, and goes on without that fault.
 */

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export class Hosts {
  readonly addresses: readonly string[];
  readonly #tag: string;

  private constructor(tag: string, addresses: readonly string[]) {
    this.#tag = tag;
    this.addresses = addresses;
  }

  /** Namespaces with one link each; or why there are none. */
  static create(count: number): Hosts | { readonly reason: string } {
    const tag = `v${randomBytes(3).toString('hex')}`;
    // Of this run alone: other runs on the machine have other networks.
    const [second, third] = randomBytes(2);
    const network = `10.${64 + ((second ?? 0) % 128)}.${third}`;
    const addresses = Array.from({ length: count }, (_, index) => `${network}.${index + 1}`);
    const hosts = new Hosts(tag, addresses);
    try {
      ip('link', 'add', `${tag}b`, 'type', 'bridge');
      ip('addr', 'add', `${network}.254/24`, 'dev', `${tag}b`);
      ip('link', 'set', `${tag}b`, 'up');
      for (const [index, address] of addresses.entries()) hosts.#add(index, address);
      return hosts;
    } catch (error) {
      hosts.close();
      return {
        reason: error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error),
      };
    }
  }

  /** What a command is preceded by, so that it runs on that host. */
  prefix(index: number): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name(index)];
  }

  /** Takes the host's link down, or brings it up again. */
  setLink(index: number, isUp: boolean): void {
    ip('link', 'set', `${this.#tag}h${index}`, isUp ? 'up' : 'down');
  }

  /** Idempotent; the processes on the hosts must have ended. */
  close(): void {
    for (const index of this.addresses.keys()) attempt('netns', 'del', this.#name(index));
    attempt('link', 'del', `${this.#tag}b`);
  }

  #add(index: number, address: string): void {
    const [outside, inside] = [`${this.#tag}h${index}`, `${this.#tag}c${index}`];
    const name = this.#name(index);
    ip('netns', 'add', name);
    ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside);
    ip('link', 'set', inside, 'netns', name);
    ip('link', 'set', outside, 'master', `${this.#tag}b`);
    ip('link', 'set', outside, 'up');
    ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', inside);
    ip('-n', name, 'link', 'set', inside, 'up');
    ip('-n', name, 'link', 'set', 'lo', 'up');
  }

  #name(index: number): string {
    return `${this.#tag}n${index}`;
  }
}

/** A file system of its own in a folder, which a ballast file can fill. */
export class SmallDisk {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Undefined: the machine does not allow it. */
  static mount(folder: string, sizeMib: number): SmallDisk | undefined {
    mkdirSync(folder, { recursive: true });
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'tmpfs', folder], {
        stdio: 'pipe',
      });
      return new SmallDisk(folder);
    } catch {
      return undefined;
    }
  }

  /** Leaves only so much room. */
  fill(leftBytes: number): void {
    const { bavail, bsize } = statfsSync(this.#folder);
    writeFileSync(this.#ballast(), Buffer.alloc(Math.max(0, bavail * bsize - leftBytes)));
  }

  free(): void {
    rmSync(this.#ballast(), { force: true });
  }

  unmount(): void {
    execFileSync('umount', ['--lazy', this.#folder], { stdio: 'pipe' });
  }

  #ballast(): string {
    return join(this.#folder, 'ballast');
  }
}

function ip(...words: readonly string[]): void {
  execFileSync('ip', words, { stdio: 'pipe' });
}

function attempt(...words: readonly string[]): void {
  try {
    ip(...words);
  } catch {
    // It was never made.
  }
}
