/**
 * Every setting of `cluster.yml`: its name, type, bounds, default and meaning.
 *
 * One file describes the whole cluster, and every node is started with the same one. Names of things
 * that Riak has are Riak's. `cluster-config.ts` gives the same settings as typed values in
 * milliseconds and bytes.
 */

import { JOB_CLASSES } from '../object/job-class.ts';
import { BUCKET_PROPERTIES_SCHEMA } from './bucket-property-schema.ts';
import { REPLICATION_SCHEMA } from './replication-settings.ts';
import { choice, count, decimal, duration, section, size, text } from './setting.ts';
import type { SettingSchema } from './setting.ts';

const limits = section('What clients may ask for; past a limit they get an error at once.', {
  body: size(
    { from: '1KiB', to: '1GiB', default: '50MiB' },
    'Largest HTTP body or Protocol Buffers message.',
  ),
  object: size(
    { from: '1KiB', to: '100MiB', default: '50MiB' },
    'Largest stored object, all of its siblings together.',
  ),
  headers: size({ from: '4KiB', to: '1MiB', default: '128KiB' }, 'Largest HTTP header block.'),
  siblings: count({ from: 1, to: 10_000, default: 100 }, 'Most siblings of one object.'),
  connections: count(
    { from: 1, to: 1_000_000, default: 10_000 },
    'Most client connections of each protocol on one node.',
  ),
  requests: count(
    { from: 1, to: 1_000_000, default: 50_000 },
    'Most client requests under way on one node.',
  ),
});

const timeouts = section('How long things may take.', {
  request: duration(
    { from: '1ms', to: '1d', default: '60s' },
    'A read or write that brings no timeout of its own.',
  ),
  idle: duration(
    { from: '1s', to: '7d', default: '5m' },
    'A connection over HTTP that asks nothing; as Riak has it.',
  ),
  pbc_idle: {
    type: 'string',
    measure: { unit: 'duration', from: '1s', to: '365d', words: ['never'] },
    default: 'never',
    description:
      'A connection over Protocol Buffers that asks nothing. Clients keep such connections in pools, and not all of ' +
      'them try again on another, so that Riak ends none (`never`); one whose machine is gone ends by itself.',
  },
  drain: duration(
    { from: '0s', to: '1h', default: '0s' },
    'How long a node that is to stop serves on while /readyz says that it is not ready.',
  ),
  shutdown: duration(
    { from: '0s', to: '1h', default: '30s' },
    'How long requests under way may take to end when a node is stopped.',
  ),
});

const peer = section('How nodes talk to each other.', {
  heartbeat: duration(
    { from: '50ms', to: '1m', default: '500ms' },
    'Time between two heartbeats to each peer.',
  ),
  down_after: duration(
    { from: '100ms', to: '10m', default: '3s' },
    'Silence after which a peer counts as down.',
  ),
  handshake: duration(
    { from: '100ms', to: '1m', default: '5s' },
    'How long a new link may take to introduce itself.',
  ),
  reconnect: duration(
    { from: '10ms', to: '1m', default: '2s' },
    'Longest pause before a lost link is tried again; the first pause is a twentieth of it.',
  ),
  keepalive: duration(
    { from: '1s', to: '1h', default: '10s' },
    'Silence on a connection after which it is probed; half of it again, and it is closed.',
  ),
  window_requests: count(
    { from: 1, to: 1_000_000, default: 8_192 },
    'Most requests under way to one peer.',
  ),
  window: size(
    { from: '1MiB', to: '4GiB', default: '64MiB' },
    'Most bytes of requests under way to one peer.',
  ),
  concurrency: count(
    { from: 1, to: 1_000_000, default: 2_048 },
    'Most requests of one peer that are worked on at once; as many again may wait for each.',
  ),
});

const store = section("The node's LevelDB.", {
  cache: size({ from: '1MiB', to: '1024GiB', default: '64MiB' }, 'Block cache.'),
  write_buffer: size(
    { from: '1MiB', to: '4GiB', default: '32MiB' },
    'Newest writes kept in memory before they become a sorted table; each start takes 60 to 100 % of it.',
  ),
  inline_values: size(
    { from: '256B', to: '1GiB', default: '4KiB' },
    'Largest value kept in LevelDB itself; larger ones are appended to the value log beside it.',
  ),
});

const disk = section("Room on the disk of a node's data.", {
  reserve: size(
    { from: '1MiB', to: '1024GiB', default: '1GiB' },
    'Below this much free space no new data is taken; of a small disk a quarter at most.',
  ),
});

const transfers = section('How fast replicas move between nodes when the cluster changes.', {
  rate: size(
    { from: '64KiB', to: '10GiB', default: '32MiB' },
    'Bytes that a node brings over, or gives away, in a second.',
  ),
  partitions: count(
    { from: 1, to: 64, default: 2 },
    'Most partitions that a node brings over at once.',
  ),
});

const slowLog = section('Which requests of clients `vertebra admin slowlog` shows.', {
  slow: duration(
    { from: '0ms', to: '1h', default: '500ms' },
    'That took so long or longer; 0ms: none.',
  ),
  large: size(
    { from: '0B', to: '1GiB', default: '1MiB' },
    'Whose request or reply was so large or larger; 0B: none.',
  ),
  siblings: count(
    { from: 0, to: 10_000, default: 10 },
    'That read or left so many siblings or more; 0: none.',
  ),
  entries: count({ from: 1, to: 1_000, default: 128 }, 'How many are kept, in memory.'),
});

const tracing = section(
  'OpenTelemetry traces of requests, sent by OTLP over HTTP as JSON; see docs/tracing.md.',
  {
    endpoint: text(
      'Where spans are sent: `http://HOST:4318/v1/traces`. Absent: nothing is traced.',
      {
        title: 'http(s)://HOST:PORT/PATH without a user',
        pattern: '^https?://[^\\s@/]+(/[^\\s@]*)?$',
      },
    ),
    ratio: decimal(
      { from: 0, to: 1, default: 0.01 },
      'Share of the requests whose trace is chosen at its beginning.',
    ),
    slow: duration(
      { from: '0ms', to: '1h', default: '500ms' },
      'A request that took so long or longer is traced whatever the ratio, as one that failed; 0ms: none.',
    ),
    clients: choice(
      ['follow', 'ratio'],
      'Of a request over HTTP that brings a `traceparent`: whether its own sampled flag decides, or the ratio.',
    ),
    headers_file: text(
      'File of headers for the collector, such as a token: `NAME: VALUE` in each line; read anew for each ' +
        'batch; relative to the configuration file.',
    ),
  },
);

const audit = section(
  'The record of who changed something on a node, and which clients were refused: `audit.log` in its data folder.',
  {
    file: size(
      { from: '64KiB', to: '1GiB', default: '16MiB' },
      'Size from which on a file is full, and the next is begun.',
    ),
    files: count({ from: 2, to: 10_000, default: 16 }, 'How many are kept; the oldest go.'),
    when_failing: choice(
      ['refuse', 'allow'],
      "What becomes of an operator's change that cannot be recorded. Clients are served either way.",
    ),
  },
);

const log = section('Where the log goes.', {
  level: choice(['info', 'debug', 'warn', 'error', 'silent'], 'Least important line written.'),
  destination: text('`stdout`, or a file that is appended to.', { default: 'stdout' }),
});

const revoked = text(
  'PEM file with the lists of revoked certificates of all authorities in `ca_file` and between; one that is ' +
    'missing or has ended, and nobody whom its authority vouches for is let in. Absent: nothing counts as revoked.',
);

const peerTls: SettingSchema = {
  type: 'object',
  description: 'Certificates of the links between nodes; both sides must show one (mutual TLS).',
  properties: {
    ca_file: text('PEM file with the authorities that may vouch for a node.'),
    cert_file: text("PEM file with the node's certificate chain."),
    key_file: text("PEM file with the node's private key."),
    crl_file: revoked,
    verify: choice(
      ['node', 'authority'],
      "What a caller's certificate must show: `node`: its common name is the node's name, or it is " +
        "for the host in the node's name (after `@`); `authority`: no more than that the " +
        'authority has signed it, so that every node may pass for every other.',
    ),
  },
  required: ['ca_file', 'cert_file', 'key_file'],
  additionalProperties: false,
};

const clientTls: SettingSchema = {
  type: 'object',
  description:
    "Clients' TLS: HTTPS, STARTTLS of Protocol Buffers. Needed before security can be enabled.",
  properties: {
    cert_file: text('PEM file with the certificate chain that clients see.'),
    key_file: text('PEM file with its private key.'),
    ca_file: text(
      'PEM file with the authorities that may vouch for clients, which then need no password. Absent: ' +
        'none may.',
    ),
    crl_file: revoked,
    ciphers: text(
      "Ciphers for clients, in OpenSSL's words; `@SECLEVEL=0` alone: the usual ones, and certificates that are " +
        "signed with SHA-1 or have short keys, which can be forged. Absent: Node.js's own list.",
      { maxLength: 4_096 },
    ),
  },
  required: ['cert_file', 'key_file'],
  additionalProperties: false,
};

const port = (fallback: number, description: string): SettingSchema =>
  count({ from: 1, to: 65_535, default: fallback }, description);

const node: SettingSchema = {
  type: 'object',
  properties: {
    name: text('The name of the node in the cluster, `name@host`.', {
      title: 'name@host',
      pattern: '^[A-Za-z0-9_.-]+@[A-Za-z0-9_.:-]+$',
      maxLength: 255,
    }),
    host: text('Where others reach the node. Default: the part of its name after the @.'),
    listen: text('The address the node binds. Default: its host.'),
    http_port: port(8_098, 'Port of the HTTP interface.'),
    https_port: count(
      { from: 1, to: 65_535 },
      'Port of the HTTP interface over TLS; needs tls.client. Absent: there is none.',
    ),
    pbc_port: port(8_087, 'Port of the Protocol Buffers interface.'),
    peer_port: port(8_099, 'Port for the other nodes.'),
    data_dir: text('Folder of its data; relative to the configuration file.'),
    location: text('Rack, room or site; replicas are spread over locations.', {
      minLength: 0,
      default: '',
    }),
    participate_in_coverage: choice(
      ['enabled', 'disabled'],
      'Whether listings and queries may ask the node; disable it while its data is incomplete.',
    ),
  },
  required: ['name', 'data_dir'],
  additionalProperties: false,
};

export const CLUSTER_SCHEMA: SettingSchema = {
  type: 'object',
  properties: {
    cluster: text('Name of the cluster; links between clusters of other names are refused.', {
      maxLength: 255,
    }),
    ring_size: {
      enum: [8, 16, 32, 64, 128, 256, 512, 1_024],
      default: 64,
      description: 'Number of partitions; fixed when the cluster is first started.',
    },
    durability: choice(
      ['fsync', 'os'],
      'When a write is acknowledged: on stable storage, or in the hands of the operating system.',
    ),
    delete_mode: {
      type: 'string',
      measure: { unit: 'duration', from: '1ms', to: '365d', words: ['keep', 'immediate'] },
      default: '3s',
      description:
        'When a tombstone may go: after this time, `immediate`, or never (`keep`). Where replication is ' +
        'configured: `keep` if it is not set, and 1d at least.',
    },
    bucket_defaults: { ...BUCKET_PROPERTIES_SCHEMA, default: {} },
    limits,
    timeouts,
    peer,
    store,
    disk,
    transfers,
    log,
    slow_log: slowLog,
    tracing,
    audit,
    tls: section('Encryption and authentication; off where a group is absent.', {
      peer: peerTls,
      client: clientTls,
    }),
    hooks: section('Commit hooks: code of the operator that sees the writes of a bucket.', {
      folder: text(
        'Folder of the modules (`NAME.js`) that `precommit` and `postcommit` may name; relative to ' +
          'the configuration file, loaded at the start. Absent: there are none.',
      ),
      timeout: duration(
        { from: '1ms', to: '10m', default: '5s' },
        'For the pre-commit hooks of one write together, and for each post-commit hook.',
      ),
    }),
    map_reduce: section('What MapReduce jobs may use.', {
      javascript: choice(
        ['disabled', 'enabled'],
        'Whether functions in JavaScript, which Riak 3 has dropped, are run, each in an isolate.',
      ),
    }),
    jobs: section(
      'Expensive operations, each `enabled` or `disabled`; `cluster.job.riak_kv.*` in Riak.',
      Object.fromEntries(
        JOB_CLASSES.map((name) => [
          name,
          choice(['enabled', 'disabled'], `Whether ${name.replaceAll('_', ' ')} is served.`),
        ]),
      ),
    ),
    replication: REPLICATION_SCHEMA,
    nodes: {
      type: 'array',
      description: 'The nodes that the cluster starts with.',
      items: node,
      minItems: 1,
      maxItems: 1_024,
    },
  },
  required: ['cluster', 'nodes'],
  additionalProperties: false,
};
