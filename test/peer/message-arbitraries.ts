/** Arbitraries of everything that nodes say to each other. */

import fc from 'fast-check';
import type { ByteString } from '../../src/base/bytes.ts';
import { bytesToByteString } from '../../src/base/bytes.ts';
import type { Epoch, NodeId, ObjectKey, Partition } from '../../src/base/names.ts';
import { ACTOR_SIZE_BYTES } from '../../src/clock/actor.ts';
import type { Actor, VersionVector } from '../../src/clock/version-vector.ts';
import type { DatatypeOperation, FieldOperation } from '../../src/datatype/operation.ts';
import type { UpdateDatatypeRequest } from '../../src/object/datatype-requests.ts';
import type { Failure, PutRequest, WriteCondition } from '../../src/object/requests.ts';
import type { Metadata } from '../../src/object/stored-object.ts';
import { TREE_SIZES } from '../../src/object/tictac-tree.ts';
import type { FoldPiece, FoldQuestion, FoldScan } from '../../src/peer/folds.ts';
import type {
  CopyTrace,
  IndexScan,
  PeerReply,
  PeerRequest,
  PeerStreamItem,
  PeerStreamRequest,
} from '../../src/peer/messages.ts';

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
const name: fc.Arbitrary<ByteString> = fc
  .uint8Array({ maxLength: 24 })
  .map((array) => bytesToByteString(array));
const key: fc.Arbitrary<ObjectKey> = plain({ type: name, bucket: name, key: name });
const nodeId = fc.string({ minLength: 1 }).map((text) => text as NodeId);
const epoch = fc.nat().map((number) => number as Epoch);
const partition = fc.nat({ max: 1023 }).map((number) => number as Partition);
const nVal = fc.integer({ min: 1, max: 20 });
const counter = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });

/** A record as the code under test makes it: with the prototype of every object. */
function plain<T extends object>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

function verb<const V extends string, T extends object>(word: V, fields: fc.Arbitrary<T>) {
  return fields.map((rest) => ({ verb: word, ...rest }));
}

function kind<const K extends string, T extends object>(word: K, fields: fc.Arbitrary<T>) {
  return fields.map((rest) => ({ kind: word, ...rest }));
}

function orUndefined<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(value, { nil: undefined });
}

const actor: fc.Arbitrary<Actor> = fc
  .uint8Array({ minLength: ACTOR_SIZE_BYTES, maxLength: ACTOR_SIZE_BYTES })
  .map((array) => bytesToByteString(array) as string as Actor);

const context: fc.Arbitrary<VersionVector> = fc
  .array(fc.tuple(actor, counter), { maxLength: 5 })
  .map((entries) => new Map(entries));

const metadata: fc.Arbitrary<Metadata> = fc.record(
  {
    contentType: name,
    charset: name,
    contentEncoding: name,
    links: fc.array(
      plain({ bucket: orUndefined(name), key: orUndefined(name), tag: orUndefined(name) }),
    ),
    userMetadata: fc.array(fc.tuple(name, name)),
    indexes: fc.array(plain({ field: name, term: name })),
  },
  { requiredKeys: [], noNullPrototype: true },
);

const quorum = fc.oneof(fc.integer(), fc.constantFrom('one', 'quorum', 'all'));

const condition: fc.Arbitrary<WriteCondition> = fc.oneof(
  fc.constant({ kind: 'none-match' } as const),
  kind('not-modified', plain({ context: orUndefined(context) })),
);

const putRequest = fc.record(
  {
    key,
    content: plain({ metadata, value: bytes, isTombstone: fc.boolean() }),
    returning: fc.constantFrom('nothing', 'head', 'body'),
    context,
    condition,
    timeoutMs: fc.integer(),
    sloppyQuorum: fc.boolean(),
    nVal,
    nodeConfirms: fc.integer(),
    w: quorum,
    dw: quorum,
    pw: quorum,
    asIs: fc.boolean(),
    syncOnWrite: fc.constantFrom('backend', 'one', 'all'),
  },
  { requiredKeys: ['key', 'content', 'returning'], noNullPrototype: true },
) as fc.Arbitrary<PutRequest>;

const fieldKind = fc.constantFrom('counter', 'set', 'register', 'flag', 'map');
const field = plain({ name, kind: fieldKind });
const leafOperation = fc.oneof(
  kind('counter', plain({ increment: fc.bigInt() })),
  kind('set', plain({ adds: fc.array(name), removes: fc.array(name) })),
  kind('register', plain({ value: name })),
  kind('flag', plain({ enable: fc.boolean() })),
) as fc.Arbitrary<FieldOperation>;

function mapOf(operation: fc.Arbitrary<FieldOperation>): fc.Arbitrary<FieldOperation> {
  const update = fc.tuple(name, operation).map(([fieldName, inner]) => {
    return { field: { name: fieldName, kind: inner.kind }, operation: inner };
  });
  const updates = fc.array(update, { maxLength: 3 });
  return kind('map', plain({ removes: fc.array(field, { maxLength: 3 }), updates }));
}

const operation = fc.oneof(
  leafOperation.filter((each) => each.kind === 'counter' || each.kind === 'set'),
  kind('gset', plain({ adds: fc.array(name) })),
  kind('hll', plain({ adds: fc.array(name) })),
  mapOf(fc.oneof(leafOperation, mapOf(leafOperation))),
) as fc.Arbitrary<DatatypeOperation>;

const updateRequest = fc.record(
  {
    key,
    operation,
    returning: fc.constantFrom('nothing', 'value'),
    context,
    timeoutMs: fc.integer(),
    sloppyQuorum: fc.boolean(),
    nVal,
    nodeConfirms: fc.integer(),
    w: quorum,
    dw: quorum,
    pw: quorum,
  },
  { requiredKeys: ['key', 'operation', 'returning'], noNullPrototype: true },
) as fc.Arbitrary<UpdateDatatypeRequest>;

const plainFailure = fc
  .constantFrom(
    'all-nodes-down',
    'timeout',
    'overload',
    'match-found',
    'modified',
    'nothing-to-match',
  )
  .map((word): Failure => ({ kind: word }));

const neededGot = plain({ needed: count, got: count });

const failure: fc.Arbitrary<Failure> = fc.oneof(
  plainFailure,
  kind('unknown-bucket-type', plain({ type: name })),
  kind('n-val-violation', plain({ n: count })),
  kind(
    'unsatisfied',
    plain({
      quorum: fc.constantFrom('r', 'w', 'dw', 'pr', 'pw', 'node_confirms'),
      needed: count,
      got: count,
    }),
  ),
  kind('insufficient-replicas', neededGot),
  kind('insufficient-nodes', neededGot),
  kind('unavailable', plain({ reason: fc.string() })),
  kind('too-large', plain({ sizeBytes: count })),
  kind('too-many-siblings', plain({ count })),
  kind('precommit-failed', plain({ reason: orUndefined(fc.string()) })),
  kind('element-not-present', plain({ element: name })),
  kind('field-not-present', plain({ field })),
);

export const peerRequests: fc.Arbitrary<PeerRequest> = fc.oneof(
  verb('ping', plain({ epoch, incarnation: count })),
  verb('get', plain({ key, headOnly: fc.boolean() })),
  verb('merge', plain({ key, record: bytes, hintFor: orUndefined(nodeId) })),
  verb('put', plain({ request: putRequest })),
  verb('update', plain({ request: updateRequest })),
  verb('reap', plain({ key, tombstoneHash: bytes })),
  verb('agree', plain({ message: bytes })),
  verb('state', plain({ aboveEpoch: epoch })),
  verb('tree', plain({ partition, nVal })),
  verb('fetch', plain({ keys: fc.array(key), headsOnly: fc.boolean() })),
  verb('deliver', plain({ records: fc.array(plain({ key, record: bytes })) })),
  verb('trace', plain({ key })),
  verb('sizes', plain({ partitions: fc.array(partition) })),
  verb(
    'map',
    plain({ task: bytes, inputs: fc.array(plain({ key, keyData: orUndefined(bytes) })) }),
  ),
);

const copyTrace: fc.Arbitrary<CopyTrace> = fc.oneof(
  plain({
    state: fc.constant('whole' as const),
    head: bytes,
    sizeBytes: count,
    hintsFor: fc.array(nodeId),
  }),
  plain({
    state: fc.constantFrom('absent' as const, 'damaged' as const),
    head: orUndefined(bytes),
    sizeBytes: count,
    hintsFor: fc.array(nodeId),
  }),
);

export const peerReplies: fc.Arbitrary<PeerReply> = fc.oneof(
  kind(
    'pong',
    plain({
      epoch,
      incarnation: count,
      inCoverage: fc.boolean(),
      isFilled: fc.boolean(),
      wallMicros: orUndefined(fc.maxSafeInteger()),
    }),
  ),
  kind('object', plain({ record: orUndefined(bytes) })),
  fc.constant({ kind: 'done' } as const),
  kind('stored', plain({ record: orUndefined(bytes) })),
  kind('failed', plain({ failure })),
  kind('reaped', plain({ isGone: fc.boolean() })),
  kind('agreement', plain({ message: bytes })),
  kind('state', plain({ document: orUndefined(bytes) })),
  kind('tree', plain({ segments: bytes })),
  kind(
    'copies',
    plain({ copies: fc.array(fc.oneof(bytes, fc.constantFrom('absent', 'damaged'))) }),
  ),
  kind('delivered', plain({ refused: fc.array(count) })),
  kind('trace', plain({ trace: copyTrace })),
  kind(
    'sizes',
    plain({
      sizes: fc.array(plain({ keys: fc.nat(), sizeBytes: fc.nat() })),
      fillBytesPerSecond: orUndefined(fc.nat()),
    }),
  ),
  kind(
    'mapped',
    plain({ outputs: fc.array(fc.oneof(bytes, fc.constantFrom('absent', 'unable'))) }),
  ) as fc.Arbitrary<PeerReply>,
);

const share = plain({ partitions: fc.array(partition) });

const query: fc.Arbitrary<IndexScan> = plain({
  type: name,
  bucket: name,
  field: name,
  from: name,
  to: name,
  after: orUndefined(plain({ term: name, key: name })),
  limit: orUndefined(fc.nat()),
});

const copies = fc.constantFrom('all' as const, 'tombstones' as const, 'live' as const);
const foldQuestion: fc.Arbitrary<FoldQuestion> = fc.oneof(
  kind('siblings', plain({ above: count })),
  kind('sizes', plain({ above: count })),
  kind('keys', plain({ copies })),
  kind('contexts', plain({ copies })),
  kind('statistics', plain({ copies })),
  kind('leaves', plain({ seed: orUndefined(count) })),
);

const foldScan: fc.Arbitrary<FoldScan> = plain({
  range: plain({
    type: name,
    bucket: name,
    keys: orUndefined(plain({ from: name, to: name })),
    segments: orUndefined(
      plain({
        size: fc.constantFrom(...TREE_SIZES),
        segments: fc.uniqueArray(count).map((ids) => new Set(ids)),
      }),
    ),
    modified: orUndefined(plain({ from: count, to: count })),
  }),
  question: foldQuestion,
  after: orUndefined(name),
});

const classCounts = fc.array(fc.tuple(count, count));
const foldPiece: fc.Arbitrary<FoldPiece> = fc.oneof(
  kind('amounts', plain({ upTo: name, amounts: fc.array(fc.tuple(name, count)) })),
  kind('contexts', plain({ upTo: name, contexts: fc.array(fc.tuple(name, bytes)) })),
  kind(
    'statistics',
    plain({
      upTo: name,
      statistics: plain({ count, sizeBytes: count, sizes: classCounts, siblings: classCounts }),
    }),
  ),
  kind(
    'leaves',
    plain({
      upTo: name,
      leaves: fc.uint8Array().map((each) => Buffer.concat(Array.from({ length: 8 }, () => each))),
    }),
  ),
);

export const peerStreamRequests: fc.Arbitrary<PeerStreamRequest> = fc.oneof(
  verb('list-buckets', plain({ share, type: name })),
  verb('list-keys', plain({ share, type: name, bucket: name })),
  verb('index', plain({ share, query })),
  verb('heads', plain({ partition, nVal, segments: fc.array(fc.nat({ max: 0xffff })) })),
  verb('hashes', plain({ partition, nVal, segments: fc.array(fc.nat({ max: 0xffff })) })),
  verb('records', plain({ partition, nVal, after: orUndefined(key) })),
  verb('fold', plain({ share, scan: foldScan })),
);

export const peerStreamItems: fc.Arbitrary<PeerStreamItem> = fc.oneof(
  kind('names', plain({ names: fc.array(name) })),
  kind('index-entries', plain({ entries: fc.array(fc.tuple(name, name)) })),
  kind('heads', plain({ heads: fc.array(plain({ key, head: bytes })) })),
  kind('hashes', plain({ hashes: fc.array(plain({ key, hash: bytes })) })),
  kind('records', plain({ records: fc.array(plain({ key, record: bytes })) })),
  kind('folded', plain({ piece: foldPiece })),
);
