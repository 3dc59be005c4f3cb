/**
 * Targets as an operator writes them: `pb://host:port,host:port`, `http://host:port,…`,
 * `https://host:port,…`, `null`, or `engine:folder`. A Protocol Buffers target may have HTTP addresses
 * beside it, for its queries. Whoever logs in does so over TLS: `pb` then begins with STARTTLS, and HTTP
 * has to be `https`.
 */

import { Fault } from '../../src/base/fault.ts';
import type { NodeAddress } from '../../src/client/client.ts';

export type Target =
  | {
      readonly kind: 'pb';
      readonly nodes: readonly NodeAddress[];
      /** For queries, if there are any; each node's beside its Protocol Buffers address. */
      readonly httpNodes: readonly NodeAddress[];
    }
  | { readonly kind: 'http' | 'https'; readonly nodes: readonly NodeAddress[] }
  | { readonly kind: 'null' }
  | { readonly kind: 'engine'; readonly folder: string };

const FORMS =
  'a target is pb://host:port,host:port or http(s)://host:port,host:port or null or engine:folder';
const NODES_MAX = 1_000;

/** Rejects with a `config` fault that says what forms there are. */
export function parseTarget(text: string, queryNodes: string | undefined): Target {
  if (text === 'null') return { kind: 'null' };
  const engine = /^engine:(.+)$/.exec(text);
  if (engine !== null) return { kind: 'engine', folder: engine[1] ?? '' };
  const network = /^(pb|https?):\/\/(.+?)\/?$/.exec(text);
  if (network === null) throw new Fault('config', `${text} is no target: ${FORMS}`);
  const nodes = parseNodes(network[2] ?? '');
  if (network[1] === 'http' || network[1] === 'https') return { kind: network[1], nodes };
  return { kind: 'pb', nodes, httpNodes: queryNodes === undefined ? [] : parseNodes(queryNodes) };
}

/** As the report calls it. */
export function describeTarget(target: Target): string {
  switch (target.kind) {
    case 'pb':
    case 'http':
    case 'https':
      return `${target.kind}://${target.nodes.map(addressText).join(',')}`;
    case 'engine':
      return `engine:${target.folder}`;
    case 'null':
      return 'null';
  }
}

/** Throws a `config` fault where the target cannot be logged in to, or has to be. */
export function mustFitLogin({ kind }: Target, hasLogin: boolean): void {
  if (hasLogin && kind === 'http') throw new Fault('config', 'who logs in over HTTP says https://');
  if (hasLogin && kind !== 'pb' && kind !== 'https') {
    throw new Fault('config', `there is nobody to log in to at ${kind}`);
  }
  if (!hasLogin && kind === 'https') throw new Fault('config', 'https:// needs a login: --user');
}

export function addressText({ host, port }: NodeAddress): string {
  return `${host}:${port}`;
}

function parseNodes(text: string): NodeAddress[] {
  const nodes = text.split(',').map((part) => {
    const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(part.trim());
    const port = Number(match?.[3]);
    if (match === null || port < 1 || port > 65_535) {
      throw new Fault('config', `${part} is no host:port; ${FORMS}`);
    }
    return { host: match[1] ?? match[2] ?? '', port };
  });
  if (nodes.length > NODES_MAX) throw new Fault('config', `more than ${NODES_MAX} nodes`);
  return nodes;
}
