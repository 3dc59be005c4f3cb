/**
 * What the commands of `vertebra migrate` have in common: the ends, the scope, and how they answer.
 */

import { utf8ToByteString } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import type { NodeAddress } from '../client/client.ts';
import { ClusterEnd } from '../migrate/cluster-end.ts';
import { scopeOf } from '../migrate/walk.ts';
import type { Scope } from '../migrate/walk.ts';

export interface RequestArguments {
  readonly timeout: number;
  readonly patience: number;
  readonly json?: boolean;
}

export interface ScopeArguments {
  readonly type?: readonly string[];
  readonly bucket?: readonly string[];
}

/** Its caller closes it. */
export function openEnd(
  nodes: string,
  options: RequestArguments & { readonly concurrency: number },
): ClusterEnd {
  const { timeout: timeoutMs, patience: patienceMs, concurrency } = options;
  return new ClusterEnd({
    nodes: placesIn(nodes).map(addressOf),
    concurrency,
    timeoutMs,
    patienceMs,
  });
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
