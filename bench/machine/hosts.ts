/**
 * Hosts on this machine, with links of their own.
 *
 * Each is a network namespace on a bridge of the run's own making, so that a link can really go down and
 * packets between two hosts really be lost. Needs the right to make them; where the machine does not give it,
 * who asks is told why.
 */

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

export class Hosts {
  readonly addresses: readonly string[];
  readonly #tag: string;
  /** Of this machine, on either bridge. */
  readonly #gateway: string;

  private constructor(tag: string, network: string, count: number) {
    this.#tag = tag;
    this.#gateway = `${network}.254`;
    this.addresses = Array.from({ length: count }, (_, index) => `${network}.${index + 1}`);
  }

  /** Namespaces with one link each; or why there are none. */
  static create(count: number): Hosts | { readonly reason: string } {
    const tag = `v${randomBytes(3).toString('hex')}`;
    // Of this run alone: other runs on the machine have other networks.
    const [second, third] = randomBytes(2);
    const network = `10.${64 + ((second ?? 0) % 128)}.${third}`;
    const hosts = new Hosts(tag, network, count);
    try {
      for (const bridge of [`${tag}b`, `${tag}a`]) {
        ip('link', 'add', bridge, 'type', 'bridge');
        ip('link', 'set', bridge, 'up');
      }
      ip('addr', 'add', `${hosts.#gateway}/24`, 'dev', `${tag}b`);
      for (const [index, address] of hosts.addresses.entries()) hosts.#add(index, address);
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
    return ['nsenter', `--net=/run/netns/${this.#name(index)}`];
  }

  /** Takes the host's link down, or brings it up again. */
  setLink(index: number, isUp: boolean): void {
    ip('link', 'set', `${this.#tag}h${index}`, isUp ? 'up' : 'down');
  }

  /**
   * Puts a host on the other bridge, where it reaches only this machine and who is there too, or takes it
   * back. Packets to the others are lost without a word.
   */
  setApart(index: number, isApart: boolean): void {
    const [own, home, away] = [`${this.#tag}h${index}`, `${this.#tag}b`, `${this.#tag}a`];
    const route = `${this.addresses[index] ?? ''}/32`;
    ip('link', 'set', own, 'master', isApart ? away : home);
    // From here it is reached wherever it is.
    if (isApart) ip('route', 'replace', route, 'dev', away, 'src', this.#gateway);
    else ip('route', 'del', route);
  }

  /** Idempotent; the processes on the hosts must have ended. */
  close(): void {
    for (const index of this.addresses.keys()) attempt('netns', 'del', this.#name(index));
    for (const bridge of [`${this.#tag}b`, `${this.#tag}a`]) attempt('link', 'del', bridge);
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
