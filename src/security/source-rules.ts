/**
 * Which source decides how a user proves who they are.
 *
 * Those that name the user come before those for all, the narrower network before the wider, and the
 * first that holds the client's address decides alone: a `password` source for one host is not got
 * round by a `trust` source for its network.
 */

import type { ByteString } from '../base/bytes.ts';
import { contains, parseCidr, type Address, type Cidr } from './address.ts';
import { ALL, type Source } from './security-state.ts';

interface Rule {
  readonly cidr: Cidr;
  readonly source: Source;
}

export class SourceRules {
  /** The narrowest network first. */
  readonly #rulesByUser = new Map<string, Rule[]>();

  constructor(sources: readonly Source[]) {
    for (const source of sources) {
      const cidr = parseCidr(source.cidr);
      if (cidr === undefined) continue;
      const rules = this.#rulesByUser.get(source.user);
      if (rules === undefined) this.#rulesByUser.set(source.user, [{ cidr, source }]);
      else rules.push({ cidr, source });
    }
    for (const rules of this.#rulesByUser.values()) {
      rules.sort((left, right) => right.cidr.prefixLength - left.cidr.prefixLength);
    }
  }

  /** Undefined: nobody with that name is let in from there. */
  find(user: string, address: Address): Source | undefined {
    const rule = this.#match(user, address) ?? this.#match(ALL, address);
    return rule?.source;
  }

  #match(user: string, address: Address): Rule | undefined {
    return this.#rulesByUser.get(user)?.find(({ cidr }) => contains(cidr, address));
  }
}

/** One string for what a source is about, equal exactly for sources that replace each other. */
export function sourceId({ user, cidr }: Pick<Source, 'user' | 'cidr'>): ByteString {
  return `${user.length}:${user}${cidr}` as ByteString;
}
