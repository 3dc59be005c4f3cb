/**
 * Folds: operators' queries over all keys of a bucket, or of the cluster. All come by GET, those too that
 * change something, as in Riak.
 */

import { unreachable } from '../../base/fault.ts';
import { emptyAnswer, htmlAnswer, textAnswer } from './answer.ts';
import {
  parseFoldFilter,
  parseKeptTreeFilter,
  positiveIntegerOf,
  printNoInteger,
  treeSizeOf,
} from './fold-filter.ts';
import {
  amountsAnswer,
  branchesAnswer,
  bucketsAnswer,
  contextsAnswer,
  countAnswer,
  rootAnswer,
  statisticsAnswer,
  treeAnswer,
} from './fold-json.ts';
import { parseTimeout } from './object-parameters.ts';
import { JSON_OFFER } from './resource.ts';
import { printCharacters } from '../../object/erlang-text.ts';
import type { FoldOutcome, FoldRequest } from '../../node/fold-requests.ts';
import type { Demand, Need } from '../../security/needs.ts';
import type { Permission, Target } from '../../security/permission.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { FoldPath } from './fold-path.ts';
import type { Existence, Offer, Resource } from './resource.ts';

/** As in Riak: folds of large clusters take their time. */
const FOLD_TIMEOUT_MS = 3_600_000;
/** Riak keeps trees of all buckets in this size only. */
const KEPT_TREE_SIZE = 'large';

/** So much of what others may do with the same data; Riak asks for nothing. */
const PERMISSIONS: Readonly<Record<FoldPath['kind'], readonly Permission[]>> = {
  siblings: ['riak_kv.list_keys'],
  sizes: ['riak_kv.list_keys'],
  statistics: ['riak_kv.list_keys'],
  tombstones: ['riak_kv.list_keys'],
  contexts: ['riak_kv.list_keys'],
  tree: ['riak_kv.list_keys'],
  root: ['riak_kv.list_keys'],
  branch: ['riak_kv.list_keys'],
  keysclocks: ['riak_kv.list_keys'],
  buckets: ['riak_kv.list_buckets'],
  repair: ['riak_kv.list_keys', 'riak_kv.get'],
  replication: ['riak_kv.list_keys', 'riak_kv.get'],
  reap: ['riak_kv.list_keys', 'riak_kv.delete'],
  erase: ['riak_kv.list_keys', 'riak_kv.delete'],
};

export class FoldResource implements Resource {
  readonly route = 'fold';
  readonly methods = ['GET', 'HEAD'];
  readonly target?: Target;
  readonly #exchange: Exchange;
  readonly #path: FoldPath;
  #request: FoldRequest | undefined;
  #branches: readonly number[] = [];
  #timeoutMs = FOLD_TIMEOUT_MS;

  constructor(exchange: Exchange, path: FoldPath) {
    this.#exchange = exchange;
    this.#path = path;
    if ('on' in path) this.target = path.on;
  }

  demand(): Demand {
    const target = 'on' in this.#path ? this.#path.on : undefined;
    return PERMISSIONS[this.#path.kind].map((permission): Need => ({ permission, target }));
  }

  findFault(): Answer | undefined {
    const { query } = this.#exchange;
    const timeoutMs = parseTimeout(query);
    if (typeof timeoutMs === 'object') return timeoutMs;
    this.#timeoutMs = Math.min(timeoutMs ?? FOLD_TIMEOUT_MS, FOLD_TIMEOUT_MS);
    const request = this.#parse();
    if ('status' in request) return request;
    this.#request = request;
    return undefined;
  }

  /** A page of another site may make its visitor's browser ask for anything by GET, without a `Referer`. */
  refuse(): Answer | undefined {
    const site = this.#exchange.header('sec-fetch-site');
    const isForeign = site !== undefined && site !== 'same-origin' && site !== 'none';
    return isForeign ? htmlAnswer(403) : undefined;
  }

  offer(): Offer {
    return JSON_OFFER;
  }

  exists(): Existence {
    if (!('on' in this.#path)) return { kind: 'present' };
    const { service } = this.#exchange.context;
    const properties = service.bucketTypeProperties(this.#path.on.type);
    return properties === undefined ? { kind: 'missing' } : { kind: 'present' };
  }

  async act(): Promise<Answer> {
    const { method, response, context } = this.#exchange;
    // Nothing is looked for, and nothing changed, by asking for the head of an answer.
    if (method === 'HEAD') return emptyAnswer(200, ['Content-Type', 'application/json']);
    const outcome = await context.service.fold(this.#request as FoldRequest, {
      timeoutMs: this.#timeoutMs,
      isWanted: () => !response.closed,
    });
    return this.#answer(outcome);
  }

  #parse(): FoldRequest | Answer {
    const path = this.#path;
    if (path.kind === 'buckets') return this.#parseBuckets();
    return 'nVal' in path ? this.#parseKept(path.kind, path.nVal) : this.#parseRange(path);
  }

  #parseBuckets(): FoldRequest | Answer {
    const nVal = this.#exchange.query.get('nval');
    return nVal === undefined || positiveIntegerOf(nVal) !== undefined
      ? { kind: 'buckets' }
      : textAnswer(400, `Invalid n_val ${printCharacters(nVal)}`);
  }

  #parseKept(kind: 'root' | 'branch' | 'keysclocks', text: string): FoldRequest | Answer {
    const nVal = positiveIntegerOf(text);
    if (nVal === undefined) {
      return textAnswer(400, `Cached tree request invalid nval ${printNoInteger(text)}`);
    }
    const tree: FoldRequest = { kind: 'n-val-tree', nVal, size: KEPT_TREE_SIZE };
    if (kind === 'root') return tree;
    const filter = parseKeptTreeFilter(this.#exchange.query.get('filter'), kind);
    if ('status' in filter) return filter;
    this.#branches = filter.ids;
    if (kind === 'branch') return tree;
    const segments = { size: KEPT_TREE_SIZE, segments: new Set(filter.ids) } as const;
    return { kind: 'n-val-contexts', nVal, segments, modified: filter.modified };
  }

  #parseRange(
    path: Exclude<FoldPath, { kind: 'buckets' | 'root' | 'branch' | 'keysclocks' }>,
  ): FoldRequest | Answer {
    const size = path.kind === 'tree' ? treeSizeOf(path.size) : undefined;
    if (path.kind === 'tree' && size === undefined) {
      return textAnswer(400, `Invalid treesize ${printCharacters(path.size)}`);
    }
    const above = 'above' in path ? positiveIntegerOf(path.above) : 0;
    if (above === undefined) return noIntegerAnswer(path);
    const filter = parseFoldFilter(this.#exchange.query.get('filter'));
    if ('status' in filter) return filter;
    const { keys, segments, modified, seed, isCountOnly } = filter;
    const range = { ...path.on, keys, segments, modified };
    switch (path.kind) {
      case 'siblings':
      case 'sizes':
        // As in Riak these, statistics, repairs and replications know no segments.
        return {
          kind: 'find-keys',
          range: { ...range, segments: undefined },
          by: path.kind,
          above,
        };
      case 'repair':
        return { kind: 'repair', range: { ...range, segments: undefined } };
      case 'replication': {
        const { queue } = path;
        return { kind: 'replicate', range: { ...range, segments: undefined }, queue };
      }
      case 'statistics':
        return { kind: 'statistics', range: { ...range, segments: undefined } };
      case 'tombstones':
        return { kind: 'contexts', range, copies: 'tombstones' };
      case 'contexts':
        return { kind: 'contexts', range, copies: 'all' };
      case 'reap':
      case 'erase':
        return { kind: path.kind, range, isCountOnly };
      case 'tree':
        return { kind: 'tree', range, size: size ?? KEPT_TREE_SIZE, seed };
      default:
        return unreachable(path);
    }
  }

  #answer(outcome: FoldOutcome): Answer | Promise<Answer> {
    const { clock } = this.#exchange.context.host;
    switch (outcome.kind) {
      case 'amounts':
        return amountsAnswer(outcome.amounts, clock);
      case 'contexts':
        return contextsAnswer(outcome.contexts, clock);
      case 'buckets':
        return bucketsAnswer(outcome.buckets, clock);
      case 'statistics':
        return statisticsAnswer(outcome.statistics);
      case 'count':
        return countAnswer(outcome.count);
      case 'tree':
        if (this.#path.kind === 'root') return rootAnswer(outcome.tree);
        return this.#path.kind === 'branch'
          ? branchesAnswer({ tree: outcome.tree, ids: this.#branches }, clock)
          : treeAnswer(outcome.tree, clock);
      case 'unknown-queue':
        return textAnswer(404, 'There is no queue of that name');
      case 'unknown-bucket-type':
        return htmlAnswer(404);
      case 'too-many':
        return textAnswer(
          400,
          `What was found takes more than ${outcome.heldMaxBytes} bytes: ` +
            'narrow the range of keys or of dates',
        );
      default:
        return unreachable(outcome);
    }
  }
}

function noIntegerAnswer(path: { readonly kind: string; readonly above?: string }): Answer {
  const [what, part] =
    path.kind === 'siblings' ? ['sibling_count', 'count'] : ['object_size', 'size'];
  const value = printNoInteger(path.above ?? '');
  return textAnswer(400, `${what} requires integer for ${part}. Value ${value} invalid`);
}
