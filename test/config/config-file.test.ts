/** The configuration: complete when it is right, and a clear sentence when it is not. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DEFAULT_CIPHERS } from 'node:tls';
import t from 'tap';
import { parse } from 'yaml';
import { isFault } from '../../src/base/fault.ts';
import {
  devConfigText,
  effectiveConfig,
  parseClusterDocument,
  readBucketTypesFile,
  readConfigFile,
} from '../../src/config/config-file.ts';

const NODE = 'nodes:\n  - name: dev1@127.0.0.1\n    data_dir: data\n';
const MINIMAL = `cluster: spine\n${NODE}`;

/** The message of the `config` fault that `run` throws. */
function configFault(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isFault(error, 'config')) return error.message;
    throw error;
  }
  return 'no fault';
}

t.test('the file at the top of the repository describes the three nodes of npm start', (t) => {
  const config = readConfigFile(resolve(import.meta.dirname, '../../../cluster.yml'));
  t.equal(config.clusterName, 'vertebra');
  t.equal(config.ringSize, 64);
  t.equal(config.durability, 'fsync');
  t.same(config.deleteMode, { kind: 'after', delayMs: 3_000 });
  t.same(
    config.nodes.map((node) => [node.name, node.httpPort, node.pbcPort, node.peerPort]),
    [
      ['dev1@127.0.0.1', 8098, 8087, 8099],
      ['dev2@127.0.0.1', 8198, 8187, 8199],
      ['dev3@127.0.0.1', 8298, 8287, 8299],
    ],
  );
  t.end();
});

t.test('traces are off until an endpoint is named, and no password can stand in it', (t) => {
  const tracingOf = (lines: string) => {
    const folder = t.testdir({ 'cluster.yml': `${MINIMAL}tracing:\n${lines}` });
    const { tracing } = readConfigFile(join(folder, 'cluster.yml'));
    return { folder, tracing };
  };
  t.equal(tracingOf('  ratio: 1\n').tracing, undefined);
  const endpoint = 'https://otlp.example:4318/v1/traces';
  const { folder, tracing } = tracingOf(`  endpoint: ${endpoint}\n  headers_file: token\n`);
  t.same(tracing, {
    endpoint,
    ratio: 0.01,
    slowMs: 500,
    followsClients: true,
    headersFile: join(folder, 'token'),
  });
  const wrong = ['endpoint: "http://me:secret@host/"', 'endpoint: ftp://host/', 'ratio: 1.5'];
  for (const line of wrong)
    t.match(
      configFault(() => tracingOf(`  ${line}\n`)),
      /tracing\./,
    );
  t.end();
});

t.test('a file with a name and a node gets every default, and paths beside the file', (t) => {
  const folder = t.testdir({ 'cluster.yml': MINIMAL });
  const config = readConfigFile(join(folder, 'cluster.yml'));
  t.match(config, {
    ringSize: 64,
    durability: 'fsync',
    deleteMode: { kind: 'after', delayMs: 3_000 },
    bucketDefaults: {},
    limits: { bodySizeBytes: 50 * 1024 * 1024, siblings: 100 },
    timeouts: { requestMs: 60_000, idleMs: 300_000, pbcIdleMs: Infinity },
    peer: { windowBytes: 64 * 1024 * 1024, keepaliveMs: 10_000 },
    log: { level: 'info', destination: 'stdout' },
    audit: { fileMaxBytes: 16 * 1024 * 1024, filesMax: 16, isLenient: false },
    slowLog: { slowMs: 500, largeBytes: 1024 * 1024, siblings: 10, entriesMax: 128 },
    nodes: [
      {
        host: '127.0.0.1',
        listenHost: '127.0.0.1',
        httpPort: 8098,
        pbcPort: 8087,
        peerPort: 8099,
        dataDir: join(folder, 'data'),
        location: '',
        inCoverage: true,
      },
    ],
  });
  t.equal(config.peerTls, undefined);
  t.equal(config.clientTls, undefined);
  t.equal(config.nodes[0]?.httpsPort, undefined);
  t.equal(config.disabledJobs.size, 0);
  t.end();
});

t.test('ciphers for clients are a list of their own, or the usual one at another level', (t) => {
  const ciphersOf = (setting: string): string | undefined => {
    const client = `client: { cert_file: a, key_file: b${setting} }`;
    const folder = t.testdir({ 'c.yml': `cluster: spine\ntls:\n  ${client}\n${NODE}` });
    return readConfigFile(join(folder, 'c.yml')).clientTls?.ciphers;
  };
  t.equal(ciphersOf(''), undefined);
  t.equal(ciphersOf(', ciphers: "AES128-SHA256:@SECLEVEL=0"'), 'AES128-SHA256:@SECLEVEL=0');
  t.equal(ciphersOf(', ciphers: "@SECLEVEL=0"'), `${DEFAULT_CIPHERS}:@SECLEVEL=0`);
  t.end();
});

t.test('settings that are given are kept', (t) => {
  const folder = t.testdir({
    'cluster.yml': `
cluster: spine
delete_mode: keep
tls:
  peer: { ca_file: ca.pem, cert_file: /etc/node.pem, key_file: node.key }
  client: { cert_file: api.pem, key_file: /etc/api.key, ca_file: ca.pem, crl_file: ca.crl }
jobs: { list_keys: disabled }
log: { level: warn, destination: log/node.log }
nodes:
  - { name: a@db1, listen: 0.0.0.0, data_dir: /srv/a, location: rack1, https_port: 8443 }
  - { name: b@db2, data_dir: /srv/b, participate_in_coverage: disabled }
`,
  });
  const config = readConfigFile(join(folder, 'cluster.yml'));
  t.match(config, {
    deleteMode: { kind: 'keep' },
    peerTls: { caFile: join(folder, 'ca.pem'), certFile: '/etc/node.pem' },
    clientTls: {
      caFile: join(folder, 'ca.pem'),
      crlFile: join(folder, 'ca.crl'),
      certFile: join(folder, 'api.pem'),
      keyFile: '/etc/api.key',
    },
    log: { level: 'warn', destination: join(folder, 'log/node.log') },
    nodes: [
      {
        host: 'db1',
        listenHost: '0.0.0.0',
        dataDir: '/srv/a',
        location: 'rack1',
        httpsPort: 8443,
        inCoverage: true,
      },
      { host: 'db2', inCoverage: false },
    ],
  });
  t.same([...config.disabledJobs], ['list_keys']);
  t.end();
});

const REPLICATED = `${MINIMAL}replication:\n  queues:\n    - name: site_b\n`;
const OTHER_PORTS = 'http_port: 1, pbc_port: 2, peer_port: 3';
const DURATION_EXAMPLES = 'with its unit, such as 500ms, 60s or 1h30m';
const SIZE_EXAMPLES = 'with its unit, such as 64KiB or 50MiB';

const WRONG: readonly (readonly [fact: string, text: string, message: string])[] = [
  [
    'an unknown key is told the nearest known one',
    `cluster: spine\nrign_size: 64\n${NODE}`,
    'c.yml, line 2: rign_size is not a known setting; did you mean ring_size?',
  ],
  [
    'an unknown key near nothing is told what there is',
    `cluster: spine\nlog:\n  xyzzy: 1\n${NODE}`,
    'c.yml, line 3: log.xyzzy is not a known setting; known here: level, destination',
  ],
  ['a missing key is named', `ring_size: 64\n${NODE}`, 'c.yml, line 1: cluster must be given'],
  [
    'a number without a unit is refused with an example',
    `cluster: spine\ntimeouts:\n  request: 60\n${NODE}`,
    `c.yml, line 3: timeouts.request must be a duration from 1ms to 1d ${DURATION_EXAMPLES}, not 60`,
  ],
  [
    'a wrong unit is refused with an example',
    `cluster: spine\nlimits:\n  body: 50MB\n${NODE}`,
    `c.yml, line 3: limits.body must be a size from 1KiB to 1GiB ${SIZE_EXAMPLES}, not "50MB"`,
  ],
  [
    'a size out of range is refused',
    `cluster: spine\nlimits:\n  body: 2GiB\n${NODE}`,
    `c.yml, line 3: limits.body must be a size from 1KiB to 1GiB ${SIZE_EXAMPLES}, not "2GiB"`,
  ],
  [
    'a choice names its choices',
    `cluster: spine\ndurability: maybe\n${NODE}`,
    'c.yml, line 2: durability must be one of fsync, os, not "maybe"',
  ],
  [
    'a delete mode may be a word or a duration',
    `cluster: spine\ndelete_mode: never\n${NODE}`,
    `c.yml, line 2: delete_mode must be keep, immediate, or a duration from 1ms to 365d ` +
      `${DURATION_EXAMPLES}, not "never"`,
  ],
  [
    'a ring size is a power of two',
    `cluster: spine\nring_size: 60\n${NODE}`,
    'c.yml, line 2: ring_size must be one of 8, 16, 32, 64, 128, 256, 512, 1024, not 60',
  ],
  [
    'a port is a port',
    `${MINIMAL}    http_port: 70000\n`,
    'c.yml, line 5: nodes[0].http_port must be a whole number from 1 to 65535, not 70000',
  ],
  [
    'two nodes cannot share a port',
    `${MINIMAL}  - { name: dev2@127.0.0.1, data_dir: b, pbc_port: 1, peer_port: 2 }\n`,
    'c.yml, line 5: nodes[1].http_port must be unique, but dev1@127.0.0.1 has 8098 already',
  ],
  [
    'two nodes of one host cannot share a port, whatever address they bind',
    `${MINIMAL}  - { name: dev2@127.0.0.1, listen: 0.0.0.0, data_dir: b, pbc_port: 1, peer_port: 2 }\n`,
    'c.yml, line 5: nodes[1].http_port must be unique, but dev1@127.0.0.1 has 8098 already',
  ],
  [
    'two nodes cannot share a folder or a name',
    `${MINIMAL}  - { name: dev1@127.0.0.1, data_dir: ./data, ${OTHER_PORTS} }\n`,
    'c.yml, line 5: nodes[1].name must be unique, but dev1@127.0.0.1 has dev1@127.0.0.1 already\n' +
      'c.yml, line 5: nodes[1].data_dir must be unique, but dev1@127.0.0.1 has ./data already',
  ],
  [
    'a bucket property has its type',
    `cluster: spine\nbucket_defaults:\n  r: some\n${NODE}`,
    'c.yml, line 3: bucket_defaults.r must be a whole number from 0 to 1024, or one of one, quorum, all, not "some"',
  ],
  [
    'a bucket property with a slip of the pen is refused',
    `cluster: spine\nbucket_defaults:\n  alow_mult: true\n${NODE}`,
    'c.yml, line 3: bucket_defaults.alow_mult is not a bucket property; did you mean allow_mult?',
  ],
  [
    'half a TLS group is refused',
    `cluster: spine\ntls:\n  peer:\n    ca_file: a\n    cert_file: b\n${NODE}`,
    'c.yml, line 3: tls.peer.key_file must be given',
  ],
  [
    'what is revoked is told of authorities that are there',
    `cluster: spine\ntls:\n  client: { cert_file: a, key_file: b, crl_file: c }\n${NODE}`,
    'c.yml, line 3: tls.client.crl_file needs the authorities of ca_file',
  ],
  [
    'HTTPS needs a certificate, and a port of its own',
    `${MINIMAL}    https_port: 8098\n`,
    'c.yml, line 5: nodes[0].https_port must be unique, but dev1@127.0.0.1 has 8098 already\n' +
      'c.yml, line 5: nodes[0].https_port needs the certificate and the key of tls.client',
  ],
  [
    'a node is called name@host',
    'cluster: spine\nnodes:\n  - { name: dev1, data_dir: data }\n',
    'c.yml, line 3: nodes[0].name must be of the form name@host, not "dev1"',
  ],
  [
    'of two queues, or two sources, with one name the second is refused',
    `${REPLICATED}    - name: site_b\n  sources:\n    - { queue: q, nodes: ['a:1'] }\n` +
      `    - { name: q, queue: r, nodes: ['b:1'] }\n`,
    'c.yml, line 8: replication.queues[1].name must be unique\n' +
      'c.yml, line 11: replication.sources[1].name must be unique, as the name of its queue must be where it has none',
  ],
  [
    'every bucket of the default type is written out',
    `${MINIMAL}replication: { queues: [{ name: q, buckets: [b, '*'] }] }\n`,
    'c.yml, line 5: replication.queues[0].buckets[1] must be TYPE/BUCKET, TYPE/* or BUCKET; ' +
      'everything is `buckets: any`, not "*"',
  ],
  [
    'the buckets of a queue are a list, or any',
    `${MINIMAL}replication: { queues: [{ name: q, buckets: all }] }\n`,
    'c.yml, line 5: replication.queues[0].buckets must be one of any, or a list, not "all"',
  ],
  [
    'the nodes of a source have ports',
    `${MINIMAL}replication: { sources: [{ queue: q, nodes: [a] }] }\n`,
    'c.yml, line 5: replication.sources[0].nodes[0] must be of the form host:port, not "a"',
  ],
  [
    'a port of a source is a port',
    `${MINIMAL}replication: { sources: [{ queue: q, nodes: ['a:70000'] }] }\n`,
    'c.yml, line 5: replication.sources[0].nodes[0] must be a host and a port, not "a:70000"',
  ],
  [
    'half a login to a source is refused',
    `${MINIMAL}replication: { sources: [{ queue: q, nodes: ['a:1'], key_file: k }] }\n`,
    'c.yml, line 5: replication.sources[0].user must be given: a login needs it\n' +
      'c.yml, line 5: replication.sources[0].cert_file must be given with key_file',
  ],
  ...['immediate', '23h'].map((mode): readonly [string, string, string] => [
    `where another cluster fetches, tombstones cannot go at once: ${mode}`,
    `delete_mode: ${mode}\n${REPLICATED}`,
    `c.yml, line 1: delete_mode must be keep (the default here), or 1d or longer, where replication is ` +
      `configured, not "${mode}": a deletion that is gone before it was fetched would be undone`,
  ]),
  ['an empty file is refused', '', 'c.yml, line 1: the file must be a group of settings, not null'],
];

for (const [fact, text, message] of WRONG) {
  t.test(fact, (t) => {
    t.equal(
      configFault(() => parseClusterDocument('c.yml', text)),
      message,
    );
    t.end();
  });
}

t.test('what a cluster replicates is complete from a few lines', (t) => {
  const replicationOf = (lines: string) => {
    const folder = t.testdir({ 'cluster.yml': MINIMAL + lines });
    return { folder, ...readConfigFile(join(folder, 'cluster.yml')) };
  };
  const none = replicationOf('replication: { queues: [], sources: [] }\n');
  t.same(none.replication, {
    queueMaxBytes: 64 * 1024 * 1024,
    queueDiskMaxBytes: 256 * 1024 * 1024,
    queues: [],
    sources: [],
  });
  t.same(none.deleteMode, { kind: 'after', delayMs: 3_000 }, 'nobody has to fetch a tombstone');
  const { folder, replication, deleteMode } = replicationOf(`
replication:
  queue_memory: 1MiB
  queue_disk: 0B
  queues:
    - name: all
    - name: some
      buckets: [notes, maps/people, 'sets/*', 'default/a/b']
  sources:
    - queue: site_a
      nodes: ['10.1.0.1:8087', '[::1]:8088']
    - name: far
      queue: site_a
      nodes: ['c:8087']
      user: replicator
      password_file: secret
      ca_file: /etc/ca.pem
      server_names: [a, b]
      workers: 2
      full_sync: 0s
`);
  t.same(deleteMode, { kind: 'keep' });
  t.same(replication, {
    queueMaxBytes: 1024 * 1024,
    queueDiskMaxBytes: 0,
    queues: [
      { name: 'all', buckets: 'any' },
      {
        name: 'some',
        buckets: [
          { type: 'default', bucket: 'notes' },
          { type: 'maps', bucket: 'people' },
          { type: 'sets', bucket: undefined },
          { type: 'default', bucket: 'a/b' },
        ],
      },
    ],
    sources: [
      {
        name: 'site_a',
        queue: 'site_a',
        nodes: [
          { host: '10.1.0.1', port: 8087 },
          { host: '::1', port: 8088 },
        ],
        login: undefined,
        workers: 4,
        fullSyncMs: 3_600_000,
      },
      {
        name: 'far',
        queue: 'site_a',
        nodes: [{ host: 'c', port: 8087 }],
        login: {
          user: 'replicator',
          passwordFile: join(folder, 'secret'),
          caFile: '/etc/ca.pem',
          certFile: undefined,
          keyFile: undefined,
          serverNames: ['a', 'b'],
        },
        workers: 2,
        fullSyncMs: 0,
      },
    ],
  });
  const days = replicationOf(
    'delete_mode: 1d\nreplication: { sources: [{ queue: q, nodes: ["a:1"] }] }\n',
  );
  t.same(days.deleteMode, { kind: 'after', delayMs: 86_400_000 });
  t.end();
});

t.test('nodes of different hosts may all bind every address with the same ports', (t) => {
  const node = (host: string): string => `  - { name: n@${host}, listen: 0.0.0.0, data_dir: d }\n`;
  const { nodes } = parseClusterDocument('c.yml', `cluster: c\nnodes:\n${node('a')}${node('b')}`);
  t.equal(nodes.length, 2);
  t.end();
});

t.test('bad YAML, a key twice and multiplying references are refused with a line', (t) => {
  const fault = (text: string) => configFault(() => parseClusterDocument('c.yml', text));
  t.match(fault(`${MINIMAL}---\n${MINIMAL}`), /^c\.yml, line \d+: a second document begins$/);
  t.match(fault('cluster: [\n'), /^c\.yml, line \d: /);
  t.match(fault('cluster: a\ncluster: b\n'), /^c\.yml, line 2: Map keys must be unique/);
  const bomb = ['a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]'];
  for (let level = 0; level < 8; level += 1) {
    const name = String.fromCharCode(97 + level);
    const next = String.fromCharCode(98 + level);
    bomb.push(`${next}: &${next} [${Array.from({ length: 10 }, () => `*${name}`).join(', ')}]`);
  }
  t.match(fault(bomb.join('\n')), /c\.yml cannot be read: .*alias/i);
  t.match(fault('#'.repeat(5_000_000)), /longer than/);
  t.end();
});

t.test('a file that is not there is one sentence', (t) => {
  t.equal(
    configFault(() => readConfigFile('/nowhere/cluster.yml')),
    '/nowhere/cluster.yml cannot be read: ENOENT',
  );
  t.end();
});

t.test('the effective configuration is a configuration, and in force to the last default', (t) => {
  const folder = t.testdir({ 'cluster.yml': MINIMAL });
  const text = effectiveConfig(join(folder, 'cluster.yml'));
  t.match(parse(text), {
    ring_size: 64,
    limits: { body: '50MiB' },
    jobs: { list_keys: 'enabled' },
  });
  t.same(parseClusterDocument('again', text), parseClusterDocument('once', MINIMAL));
  t.end();
});

t.test('the development cluster has the ports that scripts rely on', (t) => {
  const text = devConfigText({ nodes: 3, basePort: 10_000, dataDir: '/tmp/dev' });
  const { nodes } = parseClusterDocument('dev', text);
  t.match(nodes, [
    { name: 'dev1@127.0.0.1', http_port: 10_018, pbc_port: 10_017, peer_port: 10_019 },
    { name: 'dev2@127.0.0.1', http_port: 10_028, pbc_port: 10_027, peer_port: 10_029 },
    { name: 'dev3@127.0.0.1', http_port: 10_038, pbc_port: 10_037, peer_port: 10_039 },
  ]);
  t.equal(nodes[2]?.data_dir, '/tmp/dev/dev3');
  t.match(
    configFault(() => devConfigText({ nodes: 1, basePort: 65_530, dataDir: '/tmp/dev' })),
    /http_port must be a whole number from 1 to 65535, not 65548/,
  );
  t.end();
});

t.test('bucket types are read by name, with properties that are not Riak’s own kept', (t) => {
  const folder = t.testdir({
    'types.json': JSON.stringify({
      siblings: { allow_mult: true },
      maps: { datatype: 'map', 'x-owner': 'spine' },
    }),
  });
  const types = readBucketTypesFile(join(folder, 'types.json'));
  t.same(
    [...types],
    [
      ['siblings', { allow_mult: true }],
      ['maps', { datatype: 'map', 'x-owner': 'spine' }],
    ],
  );
  t.end();
});

t.test('bucket types that cannot be are refused with field and line', (t) => {
  const folder = t.testdir();
  mkdirSync(folder, { recursive: true });
  const fault = (text: string): string => {
    const path = join(folder, 'types.json');
    writeFileSync(path, text);
    return configFault(() => readBucketTypesFile(path));
  };
  t.equal(
    fault('{\n "a": {"datatype": "tree"}\n}'),
    'types.json, line 2: a.datatype must be one of counter, set, gset, map, hll, not "tree"',
  );
  t.equal(
    fault('{"a": {"lastwritewins": true}}'),
    'types.json, line 1: a.lastwritewins is not a bucket property; did you mean last_write_wins?',
  );
  t.match(fault('{"default": {}}'), /default is no name for a bucket type/);
  t.match(fault('{"a": 1}'), /a must be a group of settings, not 1/);
  t.match(fault('[]'), /the file must be a group of settings, not a list/);
  t.end();
});
