/**
 * What the commands of `vertebra migrate` have in common: the ends, the scope, and how they answer.
 */

import { utf8ToByteString } from '../base/bytes.ts';
import { Fault, isFault } from '../base/fault.ts';
import type { NodeAddress } from '../client/client.ts';
import { ClusterEnd } from '../migrate/cluster-end.ts';
import { scopeOf } from '../migrate/walk.ts';
import type { Scope } from '../migrate/walk.ts';
import { credentialsOf } from './login-options.ts';
import type { LoginArguments } from './login-options.ts';

export interface RequestArguments {
  readonly timeout: number;
  readonly patience: number;
  readonly json?: boolean;
}

export interface ScopeArguments {
  readonly type?: readonly string[];
  readonly bucket?: readonly string[];
}

export interface EndPlace {
  /** The word of its options, as in `--from-user`. */
  readonly word: 'from' | 'to';
  readonly nodes: string;
  readonly login: LoginArguments;
}

/**
 * An end where somebody answers, and lets us in; later its nodes may be away for a while. Its caller
 * closes it.
 */
export async function openEnd(
  { word, nodes, login }: EndPlace,
  options: RequestArguments & { readonly concurrency: number },
): Promise<ClusterEnd> {
  const { timeout: timeoutMs, patience: patienceMs, concurrency } = options;
  const end = new ClusterEnd({
    nodes: placesIn(nodes).map(addressOf),
    credentials: await credentialsOf(login, word),
    concurrency,
    timeoutMs,
    patienceMs,
  });
  try {
    await end.release();
    return end;
  } catch (error) {
    end.close();
    if (!isFault(error, 'login-refused') || login.user !== undefined) throw error;
    const why = `${nodes}: ${error.message} (see --${word}-user)`;
    throw new Fault('login-refused', why, { cause: error });
  }
}

export function placesIn(nodes: string): readonly string[] {
  return nodes.split(',').map((place) => place.trim());
}

function addressOf(place: string): NodeAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(place);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host !== undefined && port >= 1 && port <= 65_535) return { host, port };
  throw new Fault('config', `${place} is no host:port`);
}

export function scopeIn({ type, bucket }: ScopeArguments): Scope {
  const types = (type ?? ['default']).map(utf8ToByteString);
  return scopeOf(types, bucket?.map(utf8ToByteString));
}

export function print<T>(
  { json }: Pick<RequestArguments, 'json'>,
  summary: T,
  toText: (summary: T) => string,
): void {
  console.log(json === true ? JSON.stringify(summary, undefined, 2) : toText(summary));
}
