/**
 * Short words for scenarios: what is asked and what came back.
 */

import { utf8ToByteString } from '../../src/base/bytes.ts';
import type { NodeId, ObjectKey } from '../../src/base/names.ts';
import type { VersionVector } from '../../src/clock/version-vector.ts';
import { decodeRecord } from '../../src/object/record.ts';
import type {
  DeleteOutcome,
  DeleteRequest,
  GetOutcome,
  GetRequest,
  NewContent,
  PutOutcome,
  PutRequest,
} from '../../src/object/requests.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import type { PartialProperties } from '../../src/object/bucket-properties.ts';
import type { TestCluster } from './cluster-harness.ts';

export const [N1, N2, N3] = ['n1', 'n2', 'n3'] as string[] as [NodeId, NodeId, NodeId];

export function content(text: string): NewContent {
  return {
    metadata: { contentType: utf8ToByteString('text/plain') },
    value: Buffer.from(text),
    isTombstone: false,
  };
}

/** `text` of a sibling, `†` for a tombstone. */
export function values(object: StoredObject): string[] {
  return object.siblings
    .map(({ value, isTombstone }) => (isTombstone ? '†' : value.toString()))
    .sort();
}

/** The values that a read found, or the kind of what it came to. */
export function told(outcome: GetOutcome): readonly string[] | string {
  return outcome.kind === 'found' ? values(outcome.object) : outcome.kind;
}

export function contextOf(outcome: GetOutcome | PutOutcome): VersionVector {
  if (outcome.kind === 'found') return outcome.object.context;
  if (outcome.kind === 'not-found' && outcome.tombstone !== undefined) {
    return outcome.tombstone.context;
  }
  if (outcome.kind === 'stored' && outcome.object !== undefined) return outcome.object.context;
  throw new Error(`${outcome.kind} carries no context`);
}

/** A client of one cluster. */
export class Teller {
  readonly cluster: TestCluster;

  constructor(cluster: TestCluster) {
    this.cluster = cluster;
  }

  get(at: NodeId, key: ObjectKey, options: Partial<GetRequest> = {}): Promise<GetOutcome> {
    return this.cluster.settle(this.cluster.node(at).get({ key, ...options }));
  }

  /** Stores `text` at all replicas unless the options say otherwise. */
  put(
    at: NodeId,
    key: ObjectKey,
    request: { readonly text: string } & Partial<PutRequest>,
  ): Promise<PutOutcome> {
    const { text, ...options } = request;
    const whole = { key, content: content(text), returning: 'nothing', ...options } as const;
    return this.cluster.settle(this.cluster.node(at).put(whole));
  }

  delete(at: NodeId, key: ObjectKey, options: Partial<DeleteRequest> = {}): Promise<DeleteOutcome> {
    return this.cluster.settle(this.cluster.node(at).delete({ key, ...options }));
  }

  /** Makes an active bucket type. */
  async makeType(name: string, properties: PartialProperties): Promise<void> {
    const type = utf8ToByteString(name);
    const [first] = this.cluster.ids;
    const node = this.cluster.node(first as NodeId);
    for (const change of [
      () => node.createBucketType(type, properties),
      () => node.activateBucketType(type),
    ]) {
      const outcome = await this.cluster.settle(change());
      if (outcome.kind !== 'changed') throw new Error(`the type was not made: ${outcome.kind}`);
    }
  }

  /** What one node's own copy holds, without asking any other. */
  async copyAt(at: NodeId, key: ObjectKey): Promise<readonly string[] | undefined> {
    const reply = await this.cluster.settle(
      this.cluster.node(at).handle(at, { verb: 'get', key, headOnly: false }, 1_000),
    );
    if (reply.kind !== 'object' || reply.record === undefined) return undefined;
    const object = decodeRecord(reply.record);
    return object === undefined ? undefined : values(object);
  }
}
