/**
 * Every form in which bytes leave a process for another build: between nodes, on disk, and with clients.
 *
 * Each has samples of all its kinds, from which `pin.ts` makes a set of pinned bytes, and the codec that
 * `formats.test.ts` holds to all sets.
 */

import fc from 'fast-check';
import { decodeContext, encodeContext } from '../../src/clock/context.ts';
import type { VersionVector } from '../../src/clock/version-vector.ts';
import { encodeState as encodeDatatype } from '../../src/datatype/encoding.ts';
import type { DatatypeName } from '../../src/datatype/operation.ts';
import type { DatatypeState } from '../../src/datatype/state.ts';
import type { ClusterState } from '../../src/membership/cluster-state.ts';
import { decodeState, encodeState } from '../../src/membership/state-document.ts';
import { decodeBlocks, encodeBlock, type SpooledKey } from '../../src/node/spool-block.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import {
  decodeRecord,
  encodeRecord,
  joinRecord,
  recordCausalHash,
} from '../../src/object/record.ts';
import {
  decodeReply,
  decodeRequest,
  decodeStreamItem,
  decodeStreamRequest,
  encodeReply,
  encodeRequest,
  encodeStreamItem,
  encodeStreamRequest,
} from '../../src/peer/wire.ts';
import { decodeContinuation, encodeContinuation } from '../../src/query/index-continuation.ts';
import type { IndexPosition } from '../../src/query/match-scan.ts';
import { decode as decodeDatatype, run, steps } from '../datatype/replicas.ts';
import { anyState, nodeOf, stateOf } from '../membership/states.ts';
import { objects } from '../object/history.ts';
import {
  peerReplies,
  peerRequests,
  peerStreamItems,
  peerStreamRequests,
} from '../peer/message-arbitraries.ts';
import { agreementFormats } from './agreement-formats.ts';
import { greetingFormats } from './greeting-formats.ts';
import { storeFormats } from './store-formats.ts';

export interface Format {
  readonly name: string;
  /** One of each kind, made anew by each call; only `pin.ts` looks at more than their kinds. */
  readonly samples: () => readonly Sample[];
  readonly encode: (value: never) => Buffer;
  /** What tells whether the bytes were understood; undefined or a throw: they were not. */
  readonly decode: (bytes: Buffer) => unknown;
}

export interface Sample {
  /** Unique in its format. */
  readonly kind: string;
  readonly value: unknown;
}

/** Any number: another one gives other samples. */
const SEED = 41;

/** Of what is drawn, for each kind the one that takes most bytes within the bound. */
function drawn<T>(
  arbitrary: fc.Arbitrary<T>,
  encode: (value: T) => Buffer,
  {
    kindOf,
    maxBytes,
    count = 100,
  }: {
    readonly kindOf: (value: T) => string;
    readonly maxBytes: number;
    readonly count?: number;
  },
): Sample[] {
  const best = new Map<string, { readonly value: T; readonly sizeBytes: number }>();
  for (const value of fc.sample(arbitrary, { seed: SEED, numRuns: count })) {
    const { length: sizeBytes } = encode(value);
    const kind = kindOf(value);
    const before = best.get(kind);
    const isBetter =
      before === undefined ||
      (sizeBytes <= maxBytes
        ? before.sizeBytes > maxBytes || sizeBytes > before.sizeBytes
        : sizeBytes < before.sizeBytes);
    if (isBetter) best.set(kind, { value, sizeBytes });
  }
  return Array.from(best, ([kind, { value }]) => ({ kind, value })).sort((left, right) =>
    left.kind < right.kind ? -1 : 1,
  );
}

interface Kinded {
  readonly verb?: string;
  readonly kind?: string;
  readonly failure?: Kinded;
  readonly trace?: { readonly state: string };
  readonly request?: { readonly operation?: Kinded; readonly condition?: Kinded };
  readonly scan?: { readonly question: Kinded };
  readonly piece?: Kinded;
}

/** The words that choose the fields of a message. */
function kindOfMessage(message: Kinded): string {
  const { verb, kind, failure, trace, request, scan, piece } = message;
  const words = [
    verb ?? kind,
    failure?.kind,
    trace?.state,
    request?.operation?.kind,
    request?.condition?.kind,
    scan?.question.kind,
    piece?.kind,
  ];
  return words.filter((word) => word !== undefined).join(' ');
}

function messages<T>(
  name: string,
  arbitrary: fc.Arbitrary<T>,
  codec: {
    readonly encode: (message: T) => Buffer;
    readonly decode: (bytes: Buffer) => T;
    /** What the arbitrary leaves out. */
    readonly more?: readonly Sample[];
  },
): Format {
  const { encode, decode, more = [] } = codec;
  const kindOf = (message: T) => kindOfMessage(message as Kinded);
  // So many that the rarest failure is among them.
  const bounds = { kindOf, maxBytes: 240, count: 1_500 };
  return { name, samples: () => [...drawn(arbitrary, encode, bounds), ...more], encode, decode };
}

const parentSpan = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), isSampled: true };
const get = {
  verb: 'get',
  key: { type: 'default', bucket: 'bucket', key: 'k\xff' },
  headOnly: true,
};
const OTHER_REQUESTS: readonly Sample[] = [
  { kind: 'get, traced', value: { ...get, parentSpan } },
  { kind: 'get, awaiting writes', value: { ...get, awaitsWrites: true } },
  { kind: 'get, traced and awaiting writes', value: { ...get, parentSpan, awaitsWrites: true } },
];

const DATATYPES: readonly DatatypeName[] = ['counter', 'set', 'gset', 'map', 'hll'];

function datatypeSamples(): Sample[] {
  return DATATYPES.flatMap((name) =>
    drawn(
      steps(name).map((taken) => run(name, taken)[0] as DatatypeState),
      encodeDatatype,
      { kindOf: () => name, maxBytes: 200 },
    ),
  );
}

const ofThree = stateOf(3);
const changingState: ClusterState = {
  ...ofThree,
  staged: [
    { kind: 'leave', node: nodeOf(0) },
    { kind: 'replace', node: nodeOf(0), successor: nodeOf(2) },
    { kind: 'location', node: nodeOf(0), location: 'rack 7' },
  ],
  step: {
    since: ofThree.epoch,
    phase: 'filling',
    target: ofThree.ownerByPartition.map(() => 2),
    unfilled: [nodeOf(1)],
  },
};

const encodeObject = (object: StoredObject) => joinRecord(encodeRecord(object));

export const FORMATS: readonly Format[] = [
  messages('peer request', peerRequests, {
    encode: encodeRequest,
    decode: decodeRequest,
    more: OTHER_REQUESTS,
  }),
  messages('peer reply', peerReplies, { encode: encodeReply, decode: decodeReply }),
  messages('stream request', peerStreamRequests, {
    encode: encodeStreamRequest,
    decode: decodeStreamRequest,
  }),
  messages('stream item', peerStreamItems, { encode: encodeStreamItem, decode: decodeStreamItem }),
  ...greetingFormats,
  ...agreementFormats,
  {
    name: 'cluster state',
    samples: () => [
      ...drawn(anyState, encodeState, { kindOf: () => 'any', maxBytes: 3_000 }),
      { kind: 'changing', value: changingState },
    ],
    encode: encodeState,
    decode: decodeState,
  },
  {
    name: 'record',
    samples: () =>
      drawn(objects, encodeObject, {
        kindOf: ({ siblings }) => (siblings.length === 1 ? 'one value' : 'siblings'),
        maxBytes: 500,
      }),
    encode: encodeObject,
    decode: (bytes) => {
      const object = decodeRecord(bytes);
      // What replicas compare, and the trees are made of.
      return object && { ...object, causalHash: recordCausalHash(bytes) };
    },
  },
  {
    name: 'data type',
    samples: datatypeSamples,
    encode: encodeDatatype,
    decode: decodeDatatype,
  },
  {
    name: 'context',
    samples: () =>
      drawn(
        objects.map(({ context }) => context),
        encodeContext,
        { kindOf: ({ size }) => (size > 1 ? 'many' : `${size}`), maxBytes: 200 },
      ),
    encode: (context: VersionVector) => encodeContext(context),
    decode: decodeContext,
  },
  {
    name: 'continuation',
    samples: () => [{ kind: 'of an index', value: { term: 'te\0rm', key: 'k\xff' } }],
    encode: (position: IndexPosition) => encodeContinuation(position),
    decode: decodeContinuation,
  },
  {
    name: 'block of a replication queue',
    samples: () => [
      {
        kind: 'two keys',
        value: {
          keys: [
            { id: 'one', offeredAtMs: 1_700_000_000_000 },
            { id: '\0\xff', offeredAtMs: 0 },
          ],
        },
      },
    ],
    encode: ({ keys }: { readonly keys: readonly SpooledKey[] }) => encodeBlock(keys),
    decode: decodeBlocks,
  },
  ...storeFormats,
];
