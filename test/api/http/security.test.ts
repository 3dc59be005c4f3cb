/**
 * Security on HTTP: TLS, Basic credentials, permissions; every route with every method that it has, and
 * every permission taken away in turn.
 */

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import t from 'tap';
import { connect as connectTls } from 'node:tls';
import type { Test } from 'tap';
import { ACCESS } from '../../../src/api/http/permissions.ts';
import { parseBasic } from '../../../src/api/http/authorization.ts';
import { PERMISSIONS } from '../../../src/security/permission.ts';
import { systemHost } from '../../../src/telemetry/system-host.ts';
import { PASSWORD, Security, certificatesIn } from '../secured.ts';
import { CLIENT_CERTIFICATES, CertificateFiles } from '../../../src/transport/certificate-files.ts';
import { Authority } from '../../transport/certificates.ts';
import { ask, serve } from './served.ts';
import type { RouteName } from '../../../src/api/http/permissions.ts';
import type { Permission, Target } from '../../../src/security/permission.ts';
import type { ByteString } from '../../../src/base/bytes.ts';
import type { Reply } from './served.ts';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const HOST = systemHost(SILENT, { count() {}, gauge() {}, observe() {} });

const DEFAULT: Target = { type: 'default' as ByteString };
const IN_B: Target = { ...DEFAULT, bucket: 'b' as ByteString };
const MAPS: Target = { type: 'maps' as ByteString };
const IN_MAPS: Target = { ...MAPS, bucket: 'b' as ByteString };

/** No bucket and no type. */
const ANY = 'any';

interface Row {
  readonly route: RouteName;
  readonly line: string;
  readonly needs: readonly Permission[];
  readonly on?: Target | typeof ANY;
  readonly body?: string;
}

const JOB = '{"inputs":[["b","k"]],"query":[]}';
const QUERY =
  '{"accumulation_option":"keys","query_list":[' +
  '{"index_name":"a_bin","start_term":"a","end_term":"b"}]}';

function row(route: RouteName, line: string, rest: Partial<Row> = {}): Row {
  return { route, line, needs: [], ...rest };
}

function on(target: Target | typeof ANY, ...needs: readonly Permission[]): Partial<Row> {
  return { needs, on: target };
}

const OPEN = ['GET /', 'GET /stats', 'GET /livez', 'GET /readyz', 'GET /metrics'];

const ROWS: readonly Row[] = [
  row('ping', 'GET /ping'),
  row('ping', 'HEAD /ping'),
  row('buckets', 'GET /buckets?buckets=true', on(DEFAULT, 'riak_kv.list_buckets')),
  row('buckets', 'HEAD /riak?buckets=true', on(DEFAULT, 'riak_kv.list_buckets')),
  row('buckets', 'GET /types/maps/buckets?buckets=true', on(MAPS, 'riak_kv.list_buckets')),
  row('keys', 'GET /buckets/b/keys?keys=true', on(IN_B, 'riak_kv.list_keys')),
  row('keys', 'HEAD /buckets/b/keys?keys=stream', on(IN_B, 'riak_kv.list_keys')),
  row('keys', 'GET /riak/b?keys=true', on(IN_B, 'riak_kv.list_keys')),
  row('keys', 'GET /types/maps/buckets/b/keys', on(IN_MAPS, 'riak_kv.list_keys')),
  row('bucket properties', 'GET /buckets/b/props', on(IN_B, 'riak_core.get_bucket')),
  row('bucket properties', 'HEAD /riak/b', on(IN_B, 'riak_core.get_bucket')),
  row('bucket properties', 'PUT /buckets/b/props', {
    ...on(IN_B, 'riak_core.set_bucket'),
    body: '{"props":{}}',
  }),
  row('bucket properties', 'DELETE /types/maps/buckets/b/props', {
    ...on(IN_MAPS, 'riak_core.set_bucket'),
  }),
  row('type properties', 'GET /types/maps/props', on(MAPS, 'riak_core.get_bucket_type')),
  row('type properties', 'HEAD /types/maps/props', on(MAPS, 'riak_core.get_bucket_type')),
  row('type properties', 'PUT /types/maps/props', {
    ...on(MAPS, 'riak_core.set_bucket_type'),
    body: '{"props":{}}',
  }),
  row('object', 'GET /buckets/b/keys/k', on(IN_B, 'riak_kv.get')),
  row('object', 'HEAD /riak/b/k', on(IN_B, 'riak_kv.get')),
  row('object', 'GET /types/maps/buckets/b/keys/k', on(IN_MAPS, 'riak_kv.get')),
  row('object', 'PUT /buckets/b/keys/k', on(IN_B, 'riak_kv.put')),
  row('object', 'POST /buckets/b/keys/k', on(IN_B, 'riak_kv.put')),
  row('object', 'POST /buckets/b/keys', on(IN_B, 'riak_kv.put')),
  row('object', 'POST /riak/b', on(IN_B, 'riak_kv.put')),
  row('object', 'DELETE /buckets/b/keys/k', on(IN_B, 'riak_kv.delete')),
  row('index', 'GET /buckets/b/index/a_bin/x', on(IN_B, 'riak_kv.index')),
  row('index', 'HEAD /types/maps/buckets/b/index/a_bin/x/y', on(IN_MAPS, 'riak_kv.index')),
  row('query', 'POST /buckets/b/query', { ...on(IN_B, 'riak_kv.index'), body: QUERY }),
  row('counter', 'GET /buckets/b/counters/k', on(IN_B, 'riak_kv.get')),
  row('counter', 'POST /buckets/b/counters/k', { ...on(IN_B, 'riak_kv.put'), body: '1' }),
  row('datatype', 'GET /types/maps/buckets/b/datatypes/k', on(IN_MAPS, 'riak_kv.get')),
  row('datatype', 'HEAD /types/maps/buckets/b/datatypes/k', on(IN_MAPS, 'riak_kv.get')),
  row('datatype', 'POST /types/maps/buckets/b/datatypes', {
    ...on(IN_MAPS, 'riak_kv.put'),
    body: '{}',
  }),
  row('fold', 'GET /siblings/buckets/b/counts/1', on(IN_B, 'riak_kv.list_keys')),
  row('fold', 'HEAD /objectsizes/types/maps/buckets/b/sizes/9', on(IN_MAPS, 'riak_kv.list_keys')),
  row('fold', 'GET /objectstats/buckets/b', on(IN_B, 'riak_kv.list_keys')),
  row('fold', 'GET /tombs/buckets/b', on(IN_B, 'riak_kv.list_keys')),
  row('fold', 'GET /rangetrees/buckets/b/trees/small', on(IN_B, 'riak_kv.list_keys')),
  row('fold', 'GET /rangetrees/buckets/b/keysclocks', on(IN_B, 'riak_kv.list_keys')),
  row('fold', 'GET /rangerepl/buckets/b/queuename/q', on(IN_B, 'riak_kv.list_keys', 'riak_kv.get')),
  row('fold', 'GET /rangerepair/buckets/b', on(IN_B, 'riak_kv.list_keys', 'riak_kv.get')),
  row('fold', 'GET /reap/buckets/b', on(IN_B, 'riak_kv.list_keys', 'riak_kv.delete')),
  row('fold', 'HEAD /erase/buckets/b', on(IN_B, 'riak_kv.list_keys', 'riak_kv.delete')),
  row('fold', 'GET /aaebucketlist', on(ANY, 'riak_kv.list_buckets')),
  row('fold', 'GET /cachedtrees/nvals/3/root', on(ANY, 'riak_kv.list_keys')),
  row('fold', 'GET /cachedtrees/nvals/3/branch?filter=W10=', on(ANY, 'riak_kv.list_keys')),
  row('fold', 'GET /cachedtrees/nvals/3/keysclocks?filter=W10=', on(ANY, 'riak_kv.list_keys')),
  row('mapreduce', 'POST /mapred', { ...on(IN_B, 'riak_kv.get', 'riak_kv.mapreduce'), body: JOB }),
];

function placeOf(target: Row['on']): string {
  if (target === ANY) return ANY;
  const { type, bucket } = target ?? DEFAULT;
  return bucket === undefined ? type : `${type}/${bucket}`;
}

type Ask = (line: string, user?: string, body?: string) => Promise<Reply>;

async function guarded(t: Test, shown: Parameters<typeof certificatesIn>[2] = {}) {
  const { files, certificates } = certificatesIn(t.testdir(), HOST, shown);
  const served = await serve();
  t.teardown(() => served.server.close(0));
  const security = new Security();
  served.node.gatekeeper = security.gatekeeper;
  const address = { host: '127.0.0.1', port: 0 };
  const securePort = await served.server.listenSecurely(address, certificates);
  const ca = readFileSync(files.caFile);
  const json = { 'Content-Type': 'application/json' };
  const overTls: Ask = (line, user, body = '') => {
    const headers = user === undefined ? json : { ...json, Authorization: basic(user) };
    return ask(securePort, line, { ca, headers, body });
  };
  const inClear: Ask = (line, user = 'ann:', body = '') =>
    ask(served.port, line, { headers: { ...json, Authorization: basic(user) }, body });
  return { ...served, files, certificates, security, securePort, ca, overTls, inClear };
}

function basic(credentials: string): string {
  return `Basic ${Buffer.from(credentials, 'latin1').toString('base64')}`;
}

t.test('each route is served to who has all that it needs, and over TLS only', async (t) => {
  const { overTls, inClear, security, bugs } = await guarded(t);
  const known: RouteName[] = ['root', 'stats', 'livez', 'readyz', 'metrics', 'link walk'];
  const tried = new Set([...ROWS.map(({ route }) => route), ...known]);
  t.same([...tried].sort(), Object.keys(ACCESS).sort(), 'no route is left out');
  for (const { line, needs, on: target, body } of ROWS) {
    const isHead = line.startsWith('HEAD');
    security.grant('ann', PERMISSIONS);
    const plain = await inClear(line, 'ann:', body);
    t.equal(plain.status, 426, `${line} in clear`);
    const stranger = await overTls(line, undefined, body);
    t.equal(stranger.status, 401, `${line} of a stranger`);
    t.equal(stranger.headers['www-authenticate'], 'Basic realm="Riak"');
    security.grant('ann', needs, target === ANY ? undefined : target);
    const { status } = await overTls(line, 'ann:', body);
    t.notOk([401, 426].includes(status), `${line} with ${needs.join(', ')}: ${status}`);
    if (status === 403) {
      security.isEnabled = false;
      t.equal((await overTls(line, undefined, body)).status, 403, 'for another reason');
      security.isEnabled = true;
    }
    for (const missing of needs) {
      const others = PERMISSIONS.filter((permission) => permission !== missing);
      security.grant('ann', others);
      const denied = await overTls(line, 'ann:', body);
      t.equal(denied.status, 403, `${line} without ${missing}`);
      const place = placeOf(target);
      const text = `Permission denied: User 'ann' does not have '${missing}' on ${place}`;
      if (!isHead) t.equal(denied.body.toString(), text);
      t.equal(denied.headers['content-type'], 'text/plain');
    }
  }
  t.same(bugs, []);
});

t.test('what tells nothing of data is open, in clear too', async (t) => {
  const { port, securePort, ca } = await guarded(t);
  for (const line of OPEN) {
    t.equal((await ask(port, line)).status, 200, line);
    t.equal((await ask(securePort, line, { ca })).status, 200, line);
  }
});

t.test('in clear one is told where to go', async (t) => {
  const { inClear } = await guarded(t);
  const { status, body, headers } = await inClear('GET /ping');
  t.equal(status, 426);
  t.equal(headers['content-type'], 'text/plain');
  t.equal(
    body.toString(),
    'Security is enabled and Riak does not accept credentials over HTTP. Try HTTPS instead.',
  );
});

t.test(
  'faults of the request come before the question who asks, permissions after it',
  async (t) => {
    const { overTls, inClear, security } = await guarded(t);
    t.equal((await overTls('GET /nowhere')).status, 404);
    t.equal((await overTls('DELETE /ping')).status, 405);
    t.equal((await inClear('GET /buckets/b/keys/k?r=x')).status, 400);
    t.equal((await overTls('PUT /buckets/b/props', undefined, 'no json')).status, 400);
    t.equal((await overTls('GET /types/nowhere/buckets/b/keys/k', 'ann:')).status, 403);
    security.grant('ann', ['riak_kv.get']);
    t.equal((await overTls('GET /types/nowhere/buckets/b/keys/k', 'ann:')).status, 404);
  },
);

t.test('links are not walked, whoever asks', async (t) => {
  const { overTls, inClear, security } = await guarded(t);
  security.grant('ann', PERMISSIONS);
  const text = 'Link walking is deprecated in Riak 2.0 and is not compatible with security.';
  const { status, body } = await overTls('GET /buckets/b/keys/k/_,_,1', 'ann:');
  t.equal(status, 403);
  t.equal(body.toString(), text);
  t.equal((await overTls('GET /buckets/b/keys/k/_,_,1')).status, 401);
  t.equal((await inClear('GET /buckets/b/keys/k/_,_,1')).status, 426);
  const job = '{"inputs":[["b","k"]],"query":[{"link":{}}]}';
  t.equal((await overTls('POST /mapred', 'ann:', job)).body.toString(), text);
});

t.test('credentials are right or wrong, and nothing between', async (t) => {
  const { overTls, counts } = await guarded(t);
  const statusOf = async (user: string): Promise<number> =>
    (await overTls('GET /ping', user)).status;
  t.equal(await statusOf(`bob:${PASSWORD}`), 200, 'a password may hold colons');
  t.equal(await statusOf('bob:wrong'), 401);
  t.equal(await statusOf('nobody:'), 401);
  t.equal(await statusOf('eve@example:'), 401, 'certificates prove nothing over HTTP');
  t.equal(counts.get('http_auth_failed_total'), 3);
  const page = (await overTls('GET /ping')).body.toString();
  t.match(page, '<title>401 Unauthorized</title></head><body><h1>Unauthorized</h1>');
  t.same(parseBasic('basic YTpi'), { user: 'a', password: 'b' });
  for (const header of ['', 'Basic', 'Basic YQ==', 'Basic !!', 'Bearer YTpi', undefined]) {
    t.equal(parseBasic(header), undefined, header ?? 'none');
  }
  t.equal(parseBasic(`Basic ${'A'.repeat(10_000)}`), undefined);
});

t.test('certificates change while the listener runs', async (t) => {
  const { files, certificates, securePort, counts } = await guarded(t);
  const shownName = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const options = { port: securePort, host: '127.0.0.1', rejectUnauthorized: false };
      const socket = connectTls(options, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.end();
      });
      socket.on('error', reject);
    });
  t.equal(await shownName(), 'server');
  const next = new Authority('next').issue(dirname(files.certFile), 'renewed');
  copyFileSync(next.certFile, files.certFile);
  certificates.reload();
  t.equal(await shownName(), 'server', 'a certificate without its key is not taken');
  copyFileSync(next.keyFile, files.keyFile);
  certificates.reload();
  t.equal(await shownName(), 'renewed');
  const failedBefore = counts.get('http_tls_failed_total') ?? 0;
  const garbage = await ask(securePort, 'GET /ping').catch((error: Error) => error);
  t.ok(garbage instanceof Error, 'plain HTTP on the port of TLS');
  t.ok((counts.get('http_tls_failed_total') ?? 0) > failedBefore);
});

t.test('clients are shown the whole chain, wherever the certificates between are', async (t) => {
  const authority = new Authority('the first').intermediate('the second').intermediate('the third');
  const { files, certificates, overTls } = await guarded(t, { authority });
  t.equal((await overTls('GET /livez')).status, 200, 'behind the certificate');
  authority.issue(dirname(files.certFile), 'server');
  certificates.reload();
  t.equal((await overTls('GET /livez')).status, 200, 'a new one');

  // As Riak has them: with the authorities that vouch for clients.
  const [first = '', ...others] = readFileSync(files.certFile, 'latin1').split(
    /(?<=END CERT.*-\n)/,
  );
  writeFileSync(files.certFile, first);
  writeFileSync(files.caFile, others.join('') + readFileSync(files.caFile, 'latin1'));
  certificates.reload();
  t.equal((await overTls('GET /livez')).status, 200, 'in the file of authorities');
});

const OLD = { authority: new Authority('of former days', 'sha1'), ciphers: 'DEFAULT@SECLEVEL=0' };

t.test('certificates signed with SHA-1 are shown where the ciphers are set for it', async (t) => {
  const { certificates, files, securePort, ca } = await guarded(t, OLD);
  const status = async (ciphers?: string): Promise<number | string> => {
    const options = { ca, ...(ciphers !== undefined && { ciphers }) };
    const reply = await ask(securePort, 'GET /livez', options).catch(
      (error: Error) => error.message,
    );
    return typeof reply === 'string' ? reply : reply.status;
  };
  t.equal(await status(OLD.ciphers), 200);
  t.match(await status(), /digest algorithm too weak/, 'this client takes them no longer');
  OLD.authority.issue(dirname(files.certFile), 'server');
  certificates.reload();
  t.equal(await status(OLD.ciphers), 200, 'a new one');

  const unset = { ...files, ciphers: undefined };
  t.throws(() => new CertificateFiles(HOST, unset, CLIENT_CERTIFICATES), {
    code: 'config',
    message: /md too weak/,
  });
  const unknown = { ...files, ciphers: 'ROT13' };
  t.throws(() => new CertificateFiles(HOST, unknown, CLIENT_CERTIFICATES), {
    code: 'config',
    message: /tls\.client\.ciphers names no ciphers that can be used: ROT13/,
  });
});

t.test('while security is off both listeners serve everyone', async (t) => {
  const { security, overTls, inClear } = await guarded(t);
  security.isEnabled = false;
  t.equal((await overTls('GET /ping')).status, 200);
  t.equal((await inClear('GET /ping')).status, 200);
  t.equal((await overTls('PUT /buckets/b/keys/k', undefined, 'v')).status, 204);
});
