/**
 * What this node does for its peers: one small answer for each verb.
 *
 * A request about a bucket type that is unknown here is no reason to guess: the asker knows more, so
 * its state is fetched first. A node whose store takes no writes answers no pings, so that others
 * stand in for it.
 */

import { Fault, isFault, unreachable } from '../base/fault.ts';
import type { NodeId, ObjectKey } from '../base/names.ts';
import { failureOf, type Span, type Tracer } from '../base/span.ts';
import type { DatatypeCoordinator } from '../coordinator/datatype.ts';
import type { PutCoordinator } from '../coordinator/put.ts';
import type { CoordinatedPut } from '../coordinator/write.ts';
import { encodeState } from '../membership/state-document.ts';
import { sliceHead } from '../object/record.ts';
import type { UpdateDatatypeRequest } from '../object/datatype-requests.ts';
import type { Failure, PutRequest, RequestOptions } from '../object/requests.ts';
import type {
  PeerReply,
  PeerRequest,
  PeerStreamItem,
  PeerStreamRequest,
} from '../peer/messages.ts';
import type { PeerHandler } from '../peer/peer.ts';
import type { Placement } from '../replica/replica.ts';
import type { Store } from '../storage/store.ts';
import type { CatchUp } from './catch-up.ts';
import { fetchCopies, takeRecords, type CopyPorts } from './copy-requests.ts';
import { MapRequests, type MapRequestsPorts } from './map-requests.ts';
import { ShareHolding } from './share-holding.ts';

export interface PeerRequestsPorts extends MapRequestsPorts {
  readonly self: NodeId;
  readonly store: Store;
  readonly puts: PutCoordinator;
  readonly datatypes: DatatypeCoordinator;
  readonly catchUp: CatchUp;
  readonly incarnation: () => number;
  /** Whether the actors of before a clean stop may still go on; a write would begin afresh. */
  readonly isUndecided: () => boolean;
  readonly inCoverage: boolean;
  /** A voter's answer, durable before it leaves. */
  readonly agree: (message: Buffer) => Promise<Buffer>;
  readonly heardPing: (source: NodeId) => void;
  /** What this node last filled in a second; undefined: never enough to tell. */
  readonly fillBytesPerSecond: () => number | undefined;
  /** Undefined: nothing is traced. */
  readonly tracer: Tracer | undefined;
}

/** Of a forwarded write, for its trace; other failures are the client's own doing. */
const FAILED: ReadonlySet<Failure['kind']> = new Set<Failure['kind']>([
  'unsatisfied',
  'insufficient-replicas',
  'insufficient-nodes',
  'all-nodes-down',
  'timeout',
  'overload',
  'unavailable',
]);

/** A request, and who asks. */
interface Asked {
  readonly source: NodeId;
  readonly request: PeerRequest;
  readonly timeoutMs: number;
}

export class PeerRequests implements PeerHandler {
  readonly #ports: PeerRequestsPorts;
  readonly #maps: MapRequests;

  constructor(ports: PeerRequestsPorts) {
    this.#ports = ports;
    this.#maps = new MapRequests(ports);
  }

  handle(source: NodeId, request: PeerRequest, timeoutMs: number): Promise<PeerReply> {
    const { tracer } = this.#ports;
    const asked = { source, request, timeoutMs };
    return tracer === undefined || request.parentSpan === undefined
      ? this.#answer(asked, undefined)
      : this.#answerSpanned(asked, tracer.answer(`replica ${request.verb}`, request.parentSpan));
  }

  async #answerSpanned(asked: Asked, span: Span): Promise<PeerReply> {
    try {
      const reply = await this.#answer(asked, span);
      const failure = reply.kind === 'failed' ? reply.failure.kind : undefined;
      span.end(failure !== undefined && FAILED.has(failure) ? failure : undefined);
      return reply;
    } catch (error) {
      span.end(failureOf(error));
      throw error;
    }
  }

  async #answer({ source, request, timeoutMs }: Asked, span: Span | undefined): Promise<PeerReply> {
    const { replica, topology, host } = this.#ports;
    switch (request.verb) {
      case 'ping':
        return this.#pong(source, request);
      case 'get': {
        const { key, headOnly, awaitsWrites } = request;
        const { partition } = topology.place(key) ?? (await this.#mustPlace(source, key));
        if (awaitsWrites === true) await replica.settled(key);
        host.metrics.count(headOnly ? 'vnode_heads' : 'vnode_gets');
        const record = await replica.getRecord(key, partition, headOnly, span);
        if (record === undefined && replica.isDamaged(key)) {
          // It held something: its word that there is nothing must not count.
          throw new Fault('store-corrupt', 'the copy is damaged');
        }
        return { kind: 'object', record };
      }
      case 'merge': {
        const { key, record, hintFor } = request;
        const placement = topology.place(key) ?? (await this.#mustPlace(source, key));
        host.metrics.count('vnode_puts');
        const place = span === undefined ? placement : { ...placement, span };
        await replica.merge(key, place, record, hintFor);
        return { kind: 'done' };
      }
      case 'fetch': {
        const { keys, headsOnly } = request;
        const copies = await fetchCopies(this.#copies(source), keys, headsOnly);
        host.metrics.count(headsOnly ? 'vnode_heads' : 'vnode_gets', copies.length);
        return { kind: 'copies', copies };
      }
      case 'deliver': {
        const { records } = request;
        host.metrics.count('vnode_puts', records.length);
        return { kind: 'delivered', refused: await takeRecords(this.#copies(source), records) };
      }
      case 'put':
        return this.#put(source, withinTime(request.request, timeoutMs, span));
      case 'update':
        return this.#update(source, withinTime(request.request, timeoutMs, span));
      case 'reap': {
        const { key, tombstoneHash } = request;
        const placement = topology.place(key) ?? (await this.#mustPlace(source, key));
        return { kind: 'reaped', isGone: await replica.reap(key, placement, tombstoneHash) };
      }
      case 'agree':
        return { kind: 'agreement', message: await this.#ports.agree(request.message) };
      case 'state': {
        const isNewer = topology.epoch > request.aboveEpoch;
        return { kind: 'state', document: isNewer ? encodeState(topology.state()) : undefined };
      }
      case 'sizes': {
        const sizes = await Promise.all(request.partitions.map((each) => replica.estimate(each)));
        return { kind: 'sizes', sizes, fillBytesPerSecond: this.#ports.fillBytesPerSecond() };
      }
      case 'map':
        return this.#maps.answer(request);
      case 'tree':
        return { kind: 'tree', segments: await replica.tree(request.partition, request.nVal) };
      case 'trace': {
        const { key } = request;
        const { partition } = topology.place(key) ?? (await this.#mustPlace(source, key));
        return { kind: 'trace', trace: await replica.trace(key, partition) };
      }
      default:
        return unreachable(request);
    }
  }

  async *handleStream(
    source: NodeId,
    request: PeerStreamRequest,
  ): AsyncIterableIterator<PeerStreamItem> {
    const holding = 'share' in request ? await this.#holdingOf(source, request) : undefined;
    for await (const item of this.#items(request)) {
      holding?.check();
      yield item;
    }
    holding?.check();
  }

  /** Who asks for what is not held here may know more. */
  async #holdingOf(
    source: NodeId,
    request: ConstructorParameters<typeof ShareHolding>[0],
  ): Promise<ShareHolding> {
    const { catchUp, self, topology } = this.#ports;
    try {
      return new ShareHolding(request, topology, self);
    } catch (error) {
      if (!isFault(error, 'peer-refused') || source === self) throw error;
    }
    await catchUp.underWay;
    await catchUp.fetchFrom(source);
    return new ShareHolding(request, topology, self);
  }

  async *#items(request: PeerStreamRequest): AsyncIterableIterator<PeerStreamItem> {
    const { replica } = this.#ports;
    switch (request.verb) {
      case 'list-buckets':
        for await (const names of replica.listBuckets(request.share, request.type)) {
          yield { kind: 'names', names };
        }
        return;
      case 'list-keys': {
        const { share, type, bucket } = request;
        for await (const names of replica.listKeys(share, type, bucket)) {
          yield { kind: 'names', names };
        }
        return;
      }
      case 'index':
        for await (const entries of replica.index(request.share, request.query)) {
          yield { kind: 'index-entries', entries };
        }
        return;
      case 'heads': {
        const { partition, nVal, segments } = request;
        for await (const heads of replica.heads(partition, nVal, segments)) {
          yield { kind: 'heads', heads };
        }
        return;
      }
      case 'hashes': {
        const { partition, nVal, segments } = request;
        for await (const hashes of replica.hashes(partition, nVal, segments)) {
          yield { kind: 'hashes', hashes };
        }
        return;
      }
      case 'records': {
        const { partition, nVal, after } = request;
        for await (const records of replica.records(partition, nVal, after)) {
          yield { kind: 'records', records };
        }
        return;
      }
      case 'fold':
        for await (const piece of replica.fold(request.share, request.scan)) {
          yield { kind: 'folded', piece };
        }
        return;
      default:
        unreachable(request);
    }
  }

  #pong(source: NodeId, ping: Extract<PeerRequest, { verb: 'ping' }>): PeerReply {
    const { host, store, topology, catchUp, incarnation, inCoverage, heardPing } = this.#ports;
    catchUp.heard(source, ping.epoch);
    const health = store.health();
    if (health.kind !== 'ready') throw new Fault('store-fenced', health.reason);
    heardPing(source);
    const { epoch, isFilled } = topology;
    const wallMicros = host.clock.wallMicros();
    return { kind: 'pong', epoch, incarnation: incarnation(), inCoverage, isFilled, wallMicros };
  }

  async #put(source: NodeId, request: PutRequest): Promise<PeerReply> {
    const { puts } = this.#ports;
    this.#mustCoordinate();
    await this.#learnType(source, request.key);
    const outcome = await puts.coordinate(request);
    if (outcome.kind !== 'stored') return refusalOf(outcome);
    const { record } = outcome;
    if (request.returning === 'nothing') return { kind: 'stored', record: undefined };
    return { kind: 'stored', record: request.returning === 'head' ? sliceHead(record) : record };
  }

  async #update(source: NodeId, request: UpdateDatatypeRequest): Promise<PeerReply> {
    const { datatypes } = this.#ports;
    this.#mustCoordinate();
    await this.#learnType(source, request.key);
    const outcome = await datatypes.coordinate(request);
    if (outcome.kind === 'stored') {
      return { kind: 'stored', record: request.returning === 'value' ? outcome.record : undefined };
    }
    return refusalOf(outcome);
  }

  /** Nothing was done, so the asker tries another node. */
  #mustCoordinate(): void {
    if (this.#ports.isUndecided()) throw new Fault('peer-refused', 'the node is starting');
  }

  #copies(source: NodeId): CopyPorts {
    const { replica, topology } = this.#ports;
    return { replica, place: (key) => topology.place(key) ?? this.#mustPlace(source, key) };
  }

  /** A fetch under way may be from another node, which knows no more, or does not answer. */
  async #learnType(source: NodeId, key: ObjectKey): Promise<void> {
    const { topology, catchUp } = this.#ports;
    await catchUp.underWay;
    if (topology.place(key) === undefined) await catchUp.fetchFrom(source);
  }

  /** The asker knows a type that is unknown here, so it has the newer state. */
  async #mustPlace(source: NodeId, key: ObjectKey): Promise<Placement> {
    await this.#learnType(source, key);
    const placement = this.#ports.topology.place(key);
    if (placement === undefined) throw new Fault('peer-refused', 'the bucket type is unknown');
    return placement;
  }
}

/** The request with no more time than its asker waits. */
function withinTime<R extends RequestOptions>(
  request: R,
  timeoutMs: number,
  span: Span | undefined,
): R {
  return { ...request, timeoutMs: Math.min(request.timeoutMs ?? timeoutMs, timeoutMs), span };
}

/** Throws where nothing was done, so that the asker tries another node. */
function refusalOf(outcome: Exclude<CoordinatedPut, { readonly kind: 'stored' }>): PeerReply {
  if (outcome.kind !== 'declined') return { kind: 'failed', failure: outcome };
  throw new Fault(outcome.isOverload ? 'overload' : 'peer-refused', outcome.reason);
}
