/** The keys and values of a store, its value log, and what stands beside it on disk. */

import type { ByteString } from '../../src/base/bytes.ts';
import type { ObjectKey, Partition } from '../../src/base/names.ts';
import {
  decodeManifest,
  encodeManifest,
  type BackupManifest,
} from '../../src/backup/backup-manifest.ts';
import { decodeCounts, encodeCounts, type ReplicaCounts } from '../../src/repair/replica-counts.ts';
import {
  copiedMarkKey,
  decodeHintKey,
  decodeIndexKey,
  decodeLogSegmentKey,
  decodeMemberKey,
  decodeMetaKey,
  decodeObjectKey,
  decodeTombKey,
  decodeTreeKey,
  encodeHintKey,
  encodeIndexKey,
  encodeLogSegmentKey,
  encodeMemberKey,
  encodeMetaKey,
  encodeObjectKey,
  encodeTombKey,
  encodeTreeKey,
  segmentOriginsKey,
  storeFormKey,
} from '../../src/storage/keys.ts';
import { readLogEntry, writeLogEntry, logEntrySize } from '../../src/storage/log-entry.ts';
import {
  decodeOrigins,
  encodeOrigins,
  type SegmentOrigin,
} from '../../src/storage/segment-origins.ts';
import { formEntry, formRefusal } from '../../src/storage/store-form.ts';
import {
  encodeHead,
  encodeParted,
  encodeWhole,
  headOf,
  isOfKey,
  placeOf,
} from '../../src/storage/stored-value.ts';
import { nodeOf } from '../membership/states.ts';
import type { Format } from './formats.ts';

const key = { type: 't\0', bucket: 'b\x01\xff', key: 'k\0\x01' } as ObjectKey;
const partition = 0x0102 as Partition;
const objectKey = encodeObjectKey(partition, key);
const entry = { field: 'f_bin' as ByteString, term: 'te\0rm' as ByteString };

/** Each space of keys: the key of the store that a sample has, and what is read from it. */
const KEYS: Readonly<
  Record<string, { readonly make: () => Buffer; readonly read: (bytes: Buffer) => unknown }>
> = {
  object: { make: () => objectKey, read: decodeObjectKey },
  index: { make: () => encodeIndexKey(partition, key, entry), read: decodeIndexKey },
  hint: { make: () => encodeHintKey(nodeOf(1), partition, key), read: decodeHintKey },
  tomb: { make: () => encodeTombKey(partition, key), read: decodeTombKey },
  tree: { make: () => encodeTreeKey({ partition, nVal: 3, segment: 1023 }), read: decodeTreeKey },
  member: { make: () => encodeMemberKey(objectKey, 1023), read: decodeMemberKey },
  meta: { make: () => encodeMetaKey('owner' as ByteString), read: decodeMetaKey },
  log: { make: () => encodeLogSegmentKey(0x01020304), read: decodeLogSegmentKey },
  form: { make: storeFormKey, read: (bytes) => bytes.equals(storeFormKey()) },
  copied: { make: copiedMarkKey, read: (bytes) => bytes.equals(copiedMarkKey()) },
  origins: { make: segmentOriginsKey, read: (bytes) => bytes.equals(segmentOriginsKey()) },
};

const head = Buffer.from('\xffhead', 'latin1');
const body = Buffer.from('body');
const place = { segment: 1, offset: 2, sizeBytes: 3, crc: 0x5f16049f };
const VALUES = {
  head: () => encodeHead(head),
  whole: () => encodeWhole(objectKey, head, body),
  parted: () => encodeParted(objectKey, head, place),
};

interface LogSample {
  readonly key: Buffer;
  readonly body: Buffer;
}

function encodeLogSample(content: LogSample): Buffer {
  const bytes = Buffer.alloc(logEntrySize(content.key.length, content.body.length));
  writeLogEntry(bytes, 0, content);
  return bytes;
}

const manifest: BackupManifest = {
  node: nodeOf(0),
  cluster: 'test',
  epoch: 7,
  takenAt: '2026-11-24T00:00:00.000Z',
  endedAt: '2026-11-24T00:00:01.000Z',
  entries: 12,
  copiedBytes: 34,
  sharedBytes: 56,
  base: { folder: '/backup/before', takenAt: '2026-11-23T00:00:00.000Z', isTrusted: false },
  files: [
    { path: 'store/CURRENT', sizeBytes: 34, sha256: 'a'.repeat(64) },
    {
      path: 'store/values/00000001.vlog',
      sizeBytes: 56,
      sha256: 'b'.repeat(64),
      origin: 'c'.repeat(32),
      isShared: true,
    },
  ],
};

export const storeFormats: readonly Format[] = [
  ...Object.entries(KEYS).map(([space, { make, read }]) => ({
    name: `${space} key`,
    samples: () => [{ kind: 'key', value: undefined }],
    encode: make,
    decode: read,
  })),
  ...Object.entries(VALUES).map(([name, make]) => ({
    name: `stored value, ${name}`,
    samples: () => [{ kind: 'value', value: undefined }],
    encode: make,
    decode: (stored: Buffer) => ({
      head: headOf(stored),
      place: placeOf(stored),
      isOfKey: isOfKey(objectKey, stored),
    }),
  })),
  {
    name: 'entry of the value log',
    samples: () => [{ kind: 'entry', value: { key: objectKey, body } }],
    encode: encodeLogSample,
    decode: (bytes) => {
      const found = readLogEntry(bytes, 0);
      if (found.kind !== 'entry') return undefined;
      const { entry: read } = found;
      return { ...read, body: bytes.subarray(bytes.length - read.bodySizeBytes) };
    },
  },
  {
    name: 'origins of segments',
    samples: () => [
      {
        kind: 'two',
        value: [
          { firstSegment: 1, origin: '0'.repeat(32) },
          { firstSegment: 9, origin: 'f'.repeat(32) },
        ],
      },
    ],
    encode: (origins: readonly SegmentOrigin[]) => encodeOrigins(origins),
    decode: decodeOrigins,
  },
  {
    name: 'form of the store',
    samples: () => [{ kind: 'entry', value: undefined }],
    encode: formEntry,
    decode: (bytes) => formRefusal(bytes) ?? 'it can be read',
  },
  {
    name: 'numbers of replicas',
    samples: () => [
      {
        kind: 'of a type and a bucket',
        value: decodeCounts(
          Buffer.from('[{"type":"t","nVal":2},{"type":"t","bucket":"b\xff","nVal":5}]', 'latin1'),
        ),
      },
    ],
    encode: (counts: ReplicaCounts) => encodeCounts(counts),
    decode: decodeCounts,
  },
  {
    name: 'manifest of a backup',
    samples: () => [{ kind: 'with a base', value: manifest }],
    encode: (value: BackupManifest) => Buffer.from(encodeManifest(value)),
    decode: (bytes) => decodeManifest(bytes.toString()),
  },
];
