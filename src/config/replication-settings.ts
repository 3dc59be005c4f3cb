/**
 * The settings of replication between clusters: what others fetch here, and what is fetched elsewhere.
 *
 * Beyond the schema, names of queues and of sources must be unique, a login must be whole, and tombstones
 * must outlive the time that another cluster may be away: one that has gone before it was fetched would leave the
 * object there, and a full-sync in the other direction would bring it back.
 */

import { resolve } from 'node:path';
import { utf8ToByteString } from '../base/bytes.ts';
import type { ByteString } from '../base/bytes.ts';
import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import type { Problem } from './document-check.ts';
import { count, duration, list, section, size, text } from './setting.ts';
import type { SettingSchema } from './setting.ts';
import { measuredBytes, measuredMs, parseDurationMs } from './units.ts';

/** In the words of the file. */
export interface ReplicationDocument {
  readonly queue_memory: string;
  readonly queue_disk: string;
  readonly queues: readonly QueueDocument[];
  readonly sources: readonly SourceDocument[];
}

interface QueueDocument {
  readonly name: string;
  readonly buckets: 'any' | readonly string[];
}

interface SourceDocument {
  readonly name?: string;
  readonly queue: string;
  readonly nodes: readonly string[];
  readonly user?: string;
  readonly password_file?: string;
  readonly ca_file?: string;
  readonly cert_file?: string;
  readonly key_file?: string;
  readonly server_names: readonly string[];
  readonly workers: number;
  readonly full_sync: string;
}

export interface ReplicationConfig {
  /** Of the keys that one queue of a node holds. */
  readonly queueMaxBytes: number;
  /** Of the files of one queue of a node; 0: keys are in memory only. */
  readonly queueDiskMaxBytes: number;
  readonly queues: readonly QueueConfig[];
  readonly sources: readonly SourceConfig[];
}

/** What other clusters fetch here. */
export interface QueueConfig {
  readonly name: string;
  readonly buckets: 'any' | readonly BucketPattern[];
}

export interface BucketPattern {
  readonly type: ByteString;
  /** Undefined: every bucket of the type. */
  readonly bucket: ByteString | undefined;
}

/** What this cluster fetches elsewhere. */
export interface SourceConfig {
  /** How status and metrics call it; the queue's name where it has none of its own. */
  readonly name: string;
  readonly queue: string;
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** Undefined: security is off there. */
  readonly login: SourceLogin | undefined;
  /** Connections of each node here, over all of the source's nodes. */
  readonly workers: number;
  /** 0: never by itself. */
  readonly fullSyncMs: number;
}

export interface SourceLogin {
  readonly user: string;
  readonly passwordFile: string | undefined;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  /** None: a node's certificate must be of the host it is reached at. */
  readonly serverNames: readonly string[];
}

/** Shorter than a fault between two sites may well last. */
const TOMBSTONES_LAST_MS_MIN = 24 * 60 * 60 * 1_000;

const PLACE = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/;
const NAME = { title: 'letters, digits and _.-', pattern: '^[A-Za-z0-9_.-]+$', maxLength: 200 };
const BESIDE_FILE = 'relative to the configuration file.';

const queue: SettingSchema = {
  type: 'object',
  properties: {
    name: text('The name by which another cluster fetches it.', NAME),
    buckets: {
      anyOf: [{ enum: ['any'] }, list(text('', { maxLength: 2_048 }), '')],
      default: 'any',
      description:
        'Whose objects it takes: `any`, or a list of `TYPE/BUCKET`, `TYPE/*` and `BUCKET` (of the default type).',
    },
  },
  required: ['name'],
  additionalProperties: false,
};

const source: SettingSchema = {
  type: 'object',
  properties: {
    name: text("How status and metrics call it. Default: the queue's name.", NAME),
    queue: text('The queue there.', NAME),
    nodes: {
      ...list(
        text('', { title: 'host:port', pattern: PLACE.source }),
        'Protocol Buffers, `HOST:PORT` each.',
      ),
      minItems: 1,
    },
    user: text(
      'Who to log in as there; needs `riak_kv.get` on any, and for full-syncs `riak_kv.list_keys` and ' +
        '`riak_kv.list_buckets`. Absent: security is off there.',
    ),
    password_file: text(`File with the password; ${BESIDE_FILE}`),
    ca_file: text(
      "PEM file with the authorities that vouch for the source's nodes. Absent: those that the system trusts.",
    ),
    cert_file: text('PEM file with a certificate to show, in place of a password or beside it.'),
    key_file: text('PEM file with its private key.'),
    server_names: {
      ...list(
        text(''),
        'What the certificates of its nodes may be of, where that is not their host.',
      ),
      default: [],
    },
    workers: count(
      { from: 1, to: 64, default: 4 },
      "Connections of each node here, over all of the source's nodes.",
    ),
    full_sync: duration(
      { from: '0s', to: '365d', default: '1h' },
      'Time between two comparisons of everything with the source; 0s: only when an operator asks.',
    ),
  },
  required: ['queue', 'nodes'],
  additionalProperties: false,
};

export const REPLICATION_SCHEMA: SettingSchema = section('Replication between clusters.', {
  queue_memory: size(
    { from: '64KiB', to: '64GiB', default: '64MiB' },
    'Most memory for the keys of one queue on a node; past it new keys wait on disk.',
  ),
  queue_disk: size(
    { from: '0B', to: '64GiB', default: '256MiB' },
    'Most disk for the keys of one queue on a node; past it new keys wait for a full-sync. 0B: keys are in ' +
      'memory only, and lost at a stop.',
  ),
  queues: {
    type: 'array',
    description: 'What other clusters fetch here.',
    items: queue,
    default: [],
    maxItems: 64,
  },
  sources: {
    type: 'array',
    description: 'What this cluster fetches elsewhere.',
    items: source,
    default: [],
    maxItems: 64,
  },
});

/** Whether the raw document asks for replication. */
export function replicates(document: unknown): boolean {
  if (typeof document !== 'object' || document === null) return false;
  const { replication } = document as { readonly replication?: unknown };
  if (typeof replication !== 'object' || replication === null) return false;
  const { queues, sources } = replication as Partial<ReplicationDocument>;
  return [queues, sources].some((items) => Array.isArray(items) && items.length > 0);
}

/** What the schema cannot say, of a document that it has let through. */
export function checkReplication(document: {
  readonly replication: ReplicationDocument;
  readonly delete_mode: string;
}): Problem[] {
  const { queues, sources } = document.replication;
  return [
    ...checkDeleteMode(document),
    ...repeated(queues.map(({ name }) => name)).map((index) =>
      problem(['queues', index, 'name'], 'must be unique'),
    ),
    ...queues.flatMap(checkPatterns),
    ...repeated(sources.map(nameOf)).map((index) =>
      problem(
        ['sources', index, 'name'],
        'must be unique, as the name of its queue must be where it has none',
      ),
    ),
    ...sources.flatMap(checkSource),
  ];
}

function checkDeleteMode(document: {
  readonly replication: ReplicationDocument;
  readonly delete_mode: string;
}): Problem[] {
  const { delete_mode: mode } = document;
  if (mode === 'keep' || !replicates(document)) return [];
  if ((parseDurationMs(mode) ?? 0) >= TOMBSTONES_LAST_MS_MIN) return [];
  const sentence =
    `must be keep (the default here), or 1d or longer, where replication is configured, not "${mode}": ` +
    'a deletion that is gone before it was fetched would be undone';
  return [{ path: ['delete_mode'], isAboutKey: false, sentence }];
}

function checkPatterns({ buckets }: QueueDocument, index: number): Problem[] {
  if (buckets === 'any') return [];
  return buckets.flatMap((pattern, at) => {
    const parsed = parsePattern(pattern);
    if (parsed !== undefined) return [];
    const sentence = 'must be TYPE/BUCKET, TYPE/* or BUCKET; everything is `buckets: any`';
    return [
      problem(['queues', index, 'buckets', at], `${sentence}, not ${JSON.stringify(pattern)}`),
    ];
  });
}

function checkSource(each: SourceDocument, index: number): Problem[] {
  const { user, cert_file: cert, key_file: key } = each;
  const problems: Problem[] = [];
  const refuse = (field: string, sentence: string): void => {
    problems.push(problem(['sources', index, field], sentence));
  };
  for (const [at, place] of each.nodes.entries()) {
    if (addressOf(place) !== undefined) continue;
    problems.push(
      problem(['sources', index, 'nodes', at], `must be a host and a port, not "${place}"`),
    );
  }
  const others = [each.password_file, each.ca_file, cert, key, each.server_names[0]];
  if (user === undefined && others.some((value) => value !== undefined)) {
    refuse('user', 'must be given: a login needs it');
  }
  if (cert === undefined && key !== undefined) refuse('cert_file', 'must be given with key_file');
  if (key === undefined && cert !== undefined) refuse('key_file', 'must be given with cert_file');
  return problems;
}

function problem(path: readonly (string | number)[], sentence: string): Problem {
  return { path: ['replication', ...path], isAboutKey: false, sentence };
}

/** Where a name stands that stood before. */
function repeated(names: readonly string[]): number[] {
  return [...names.keys()].filter((index) => names.indexOf(names[index] ?? '') < index);
}

export function toReplicationConfig(
  document: ReplicationDocument,
  folder: string,
): ReplicationConfig {
  return {
    queueMaxBytes: measuredBytes(document.queue_memory),
    queueDiskMaxBytes: measuredBytes(document.queue_disk),
    queues: document.queues.map(({ name, buckets }) => ({
      name,
      buckets: buckets === 'any' ? buckets : buckets.flatMap((each) => parsePattern(each) ?? []),
    })),
    sources: document.sources.map((each) => ({
      name: nameOf(each),
      queue: each.queue,
      nodes: each.nodes.flatMap((place) => addressOf(place) ?? []),
      login: toLogin(each, folder),
      workers: each.workers,
      fullSyncMs: measuredMs(each.full_sync),
    })),
  };
}

function toLogin(each: SourceDocument, folder: string): SourceLogin | undefined {
  if (each.user === undefined) return undefined;
  const beside = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : resolve(folder, path);
  return {
    user: each.user,
    passwordFile: beside(each.password_file),
    caFile: beside(each.ca_file),
    certFile: beside(each.cert_file),
    keyFile: beside(each.key_file),
    serverNames: each.server_names,
  };
}

function nameOf({ name, queue: itsQueue }: SourceDocument): string {
  return name ?? itsQueue;
}

/** The first slash ends the type, because a bucket's name may hold more of them. */
function parsePattern(pattern: string): BucketPattern | undefined {
  const slash = pattern.indexOf('/');
  const type = slash < 0 ? DEFAULT_BUCKET_TYPE : utf8ToByteString(pattern.slice(0, slash));
  const bucket = pattern.slice(slash + 1);
  if (type === '' || bucket === '' || (slash < 0 && bucket === '*')) return undefined;
  return { type, bucket: bucket === '*' ? undefined : utf8ToByteString(bucket) };
}

function addressOf(place: string): SourceConfig['nodes'][number] | undefined {
  const match = PLACE.exec(place);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host !== undefined && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}
