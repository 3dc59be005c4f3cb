/** Security on the Protocol Buffers port: TLS first, then a name and its proof, then permissions. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import t from 'tap';
import type { Test } from 'tap';
import { RpbListKeysReq } from '../../../src/api/pbc/messages/bucket-messages.ts';
import { RpbGetReq } from '../../../src/api/pbc/messages/get-messages.ts';
import { RpbMapRedReq } from '../../../src/api/pbc/messages/map-reduce-messages.ts';
import {
  RpbAuthReq,
  RpbPingReq,
  RpbStartTls,
} from '../../../src/api/pbc/messages/server-messages.ts';
import { systemHost } from '../../../src/telemetry/system-host.ts';
import { PASSWORD, Security, certificatesIn } from '../secured.ts';
import { BareClient, errorText, frame, name, serve, until } from './served.ts';
import { Authority } from '../../transport/certificates.ts';
import type { Clock } from '../../../src/base/host.ts';
import type { CertificateFiles } from '../../../src/transport/certificate-files.ts';
import type { PeerTls } from '../../../src/transport/peer-certificates.ts';
import type { ServeOptions, Served } from './served.ts';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const HOST = systemHost(SILENT, { count() {}, gauge() {}, observe() {} });
const TLS_FIRST = 'Security is enabled, please STARTTLS first';
const AUTH_FIRST = 'Security is enabled, please authenticate first';
const KEY = { bucket: name('patients'), key: name('k') };
const GET_DENIED = "Permission denied: User 'ann' does not have 'riak_kv.get' on default/patients";

interface Guarded extends Served {
  readonly security: Security;
  readonly authority: Authority;
  readonly files: PeerTls;
  readonly certificates: CertificateFiles;
  readonly ca: Buffer;
  /** A connection over TLS on which nobody is admitted yet. */
  readonly stranger: () => Promise<BareClient>;
}

async function guarded(
  t: Test,
  options: ServeOptions = {},
  shown: Parameters<typeof certificatesIn>[2] = {},
): Promise<Guarded> {
  const { authority, files, certificates } = certificatesIn(t.testdir(), HOST, shown);
  const served = await serve({ certificates, ...options });
  t.teardown(() => served.server.close());
  const security = new Security();
  served.node.gatekeeper = security.gatekeeper;
  const ca = readFileSync(files.caFile);
  const stranger = async (): Promise<BareClient> => {
    const client = await BareClient.connect(served.port);
    const secured = await client.startTls({ ca });
    t.teardown(() => secured.socket.destroy());
    return secured;
  };
  return { ...served, security, authority, files, certificates, ca, stranger };
}

function ask(client: BareClient, user: string, password = ''): Promise<string> {
  return client
    .ask(RpbAuthReq, { user: name(user), password: name(password) })
    .then((reply) => errorText(reply));
}

/** Pauses of five seconds end when the test says so; everything else takes its time. */
class HeldClock implements Clock {
  readonly held: (() => void)[] = [];
  readonly wallMicros = (): number => HOST.clock.wallMicros();
  readonly monotonicMs = (): number => HOST.clock.monotonicMs();

  after(delayMs: number, run: () => void): () => void {
    if (delayMs !== 5_000) return HOST.clock.after(delayMs, run);
    this.held.push(run);
    return () => undefined;
  }
}

t.test('in clear there is nothing but STARTTLS, whatever is asked', async (t) => {
  const { port } = await guarded(t);
  const client = await BareClient.connect(port);
  t.teardown(() => client.socket.destroy());
  t.equal(errorText(await client.ask(RpbPingReq, {})), TLS_FIRST);
  t.equal(errorText(await client.ask(RpbGetReq, KEY)), TLS_FIRST);
  t.equal(await ask(client, 'ann'), TLS_FIRST);
  client.socket.write(Buffer.of(0, 0, 0, 1, 110));
  t.equal(errorText(await client.next()), TLS_FIRST, 'an unknown code');
  t.equal((await client.ask(RpbStartTls, {})).name, 'RpbStartTls', 'it is not too late');
});

t.test('over TLS one says who one is, and may do what is granted', async (t) => {
  const { stranger, security } = await guarded(t);
  const client = await stranger();
  t.equal(errorText(await client.ask(RpbPingReq, {})), AUTH_FIRST);
  t.equal(errorText(await client.ask(RpbStartTls, {})), AUTH_FIRST);
  t.equal(await ask(client, 'ann'), 'RpbAuthResp');
  t.equal((await client.ask(RpbPingReq, {})).name, 'RpbPingResp', 'which needs no permission');
  t.equal(errorText(await client.ask(RpbGetReq, KEY)), GET_DENIED);
  security.grant('ann', ['riak_kv.get'], { type: name('default'), bucket: KEY.bucket });
  t.equal((await client.ask(RpbGetReq, KEY)).name, 'RpbGetResp', 'from the next request on');
  t.equal(
    errorText(await client.ask(RpbListKeysReq, { bucket: KEY.bucket })),
    GET_DENIED.replace('get', 'list_keys'),
  );
  t.equal(await ask(client, 'bob'), 'Unknown message code: 253', 'nobody becomes someone else');
  security.remove('ann');
  t.equal(errorText(await client.ask(RpbGetReq, KEY)), GET_DENIED, 'who is gone has nothing');
});

/** A client that shows its certificate. */
async function certified(
  t: Test,
  { port, ca }: { readonly port: number; readonly ca: Buffer },
  { certFile, keyFile }: PeerTls,
): Promise<BareClient> {
  const clear = await BareClient.connect(port);
  const shown = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  const client = await clear.startTls({ ca, ...shown });
  t.teardown(() => client.socket.destroy());
  return client;
}

t.test('a password must be right; a certificate must be vouched for and be the name', async (t) => {
  const clock = new HeldClock();
  const { stranger, authority, port, ca, counts } = await guarded(t, { clock });
  t.equal(await ask(await stranger(), 'bob', PASSWORD), 'RpbAuthResp');

  const eve = authority.issue(t.testdir(), 'Eve@Example');
  const withCertificate = (shown: PeerTls) => certified(t, { port, ca }, shown);
  t.equal(await ask(await withCertificate(eve), 'eve@example'), 'RpbAuthResp', 'in lower case');

  const refused = async (client: BareClient, user: string): Promise<string> => {
    const answer = ask(client, user);
    await until(() => clock.held.length > 0);
    clock.held.pop()?.();
    return answer;
  };
  t.equal(await refused(await stranger(), 'eve@example'), 'Authentication failed');
  const mallory = authority.issue(t.testdir(), 'mallory');
  t.equal(await refused(await withCertificate(mallory), 'eve@example'), 'Authentication failed');
  for (const issuer of ['clients', 'strangers']) {
    const forged = new Authority(issuer).issue(t.testdir(), 'eve@example');
    const client = await withCertificate(forged);
    await client.closed();
  }
  t.equal(counts.get('pbc_tls_failed_total'), 2, 'a certificate that nobody vouches for');
});

t.test('a certificate that its authority has revoked proves nothing any more', async (t) => {
  const authority = new Authority('clients');
  // Not in the folder of the test, which is emptied for each use.
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const crlFile = join(folder, 'clients.crl');
  authority.revoke(crlFile, []);
  const server = await guarded(t, {}, { authority, crlFile });
  const { certificates, stranger, counts } = server;
  const eve = authority.issue(folder, 'eve@example');
  t.equal(await ask(await certified(t, server, eve), 'eve@example'), 'RpbAuthResp');
  authority.revoke(crlFile, [eve.certFile]);
  certificates.reload();
  const client = await certified(t, server, eve);
  await client.closed();
  t.equal(counts.get('pbc_tls_failed_total'), 1);
  const other = authority.issue(folder, 'eve@example');
  t.equal(await ask(await certified(t, server, other), 'eve@example'), 'RpbAuthResp', 'a new one');
  t.equal(await ask(await stranger(), 'bob', PASSWORD), 'RpbAuthResp', 'who shows none');
});

t.test(
  'a wrong answer costs five seconds, of that connection only, and three end it',
  async (t) => {
    const clock = new HeldClock();
    const { stranger, port, counts } = await guarded(t, { clock });
    const [guesser, other] = await Promise.all([stranger(), stranger()]);
    for (const attempt of [1, 2, 3]) {
      const answer = ask(guesser, 'nobody', `guess ${attempt}`);
      await until(() => clock.held.length === 1);
      t.equal(errorText(await other.ask(RpbPingReq, {})), AUTH_FIRST, 'others go on');
      clock.held.pop()?.();
      t.equal(await answer, 'Authentication failed');
    }
    await guesser.closed();
    t.equal(counts.get('pbc_auth_failed_total'), 3);
    const waiting = await stranger();
    waiting.send(RpbAuthReq, { user: name('nobody'), password: name('') });
    await until(() => clock.held.length === 1);
    waiting.socket.destroy();
    clock.held.pop()?.();
    t.equal(errorText(await (await BareClient.connect(port)).ask(RpbPingReq, {})), TLS_FIRST);
  },
);

t.test('what comes behind STARTTLS in clear is never taken for the user', async (t) => {
  const { port, counts, bugs } = await guarded(t);
  const injected = Buffer.concat([
    frame(RpbStartTls, {}),
    frame(RpbAuthReq, { user: name('ann'), password: name('') }),
    frame(RpbPingReq, {}),
  ]);
  const client = await BareClient.connect(port);
  client.socket.write(injected);
  t.equal(await client.next(), 'closed', 'not even STARTTLS is answered');
  t.equal(counts.get('pbc_tls_injections_total'), 1);
  const later = await BareClient.connect(port);
  await later.ask(RpbStartTls, {});
  later.send(RpbPingReq, {});
  t.equal(await later.next(), 'closed', 'nor is it read as a message later');
  t.same(bugs, []);
});

t.test('a handshake that fails, or does not come, ends the connection', async (t) => {
  const { port, counts } = await guarded(t, { handshakeTimeoutMs: 50 });
  const silent = await BareClient.connect(port);
  await silent.ask(RpbStartTls, {});
  await silent.closed();
  const old = await BareClient.connect(port);
  await old.ask(RpbStartTls, {});
  old.socket.removeAllListeners('data');
  const options = { socket: old.socket, rejectUnauthorized: false, maxVersion: 'TLSv1.1' } as const;
  const refusal = await new Promise((resolve) => {
    connectTls({ ...options, minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' }).on(
      'error',
      resolve,
    );
  });
  t.ok(refusal instanceof Error, 'TLS 1.1');
  await until(() => counts.get('pbc_tls_failed_total') === 2);
});

t.test(
  'a stranger can have little held, and a node without a certificate serves nobody',
  async (t) => {
    const { stranger } = await guarded(t);
    const client = await stranger();
    client.socket.write(Buffer.concat([Buffer.of(0, 1, 0x86, 0xa0, 253), Buffer.alloc(70_000)]));
    t.equal(errorText(await client.next()), AUTH_FIRST);
    await client.closed();

    const bare = await guarded(t, { certificates: undefined });
    const clear = await BareClient.connect(bare.port);
    t.teardown(() => clear.socket.destroy());
    t.match(errorText(await clear.ask(RpbStartTls, {})), /has no certificate/);
    t.equal(errorText(await clear.ask(RpbPingReq, {})), TLS_FIRST);
  },
);

t.test(
  'security that comes on counts for connections that are open, and goes as it came',
  async (t) => {
    const { port, security, stranger } = await guarded(t);
    security.isEnabled = false;
    const client = await BareClient.connect(port);
    t.teardown(() => client.socket.destroy());
    t.equal((await client.ask(RpbGetReq, KEY)).name, 'RpbGetResp');
    t.match(errorText(await client.ask(RpbStartTls, {})), /^Security not enabled; STARTTLS/);
    t.equal(await ask(client, 'ann'), 'Unknown message code: 253');
    security.isEnabled = true;
    t.equal(errorText(await client.ask(RpbGetReq, KEY)), TLS_FIRST);
    const secured = await stranger();
    security.isEnabled = false;
    t.equal((await secured.ask(RpbGetReq, KEY)).name, 'RpbGetResp');
  },
);

t.test('clients are shown the whole chain, wherever the certificates between are', async (t) => {
  const authority = new Authority('the first').intermediate('the second');
  const { files, certificates, stranger } = await guarded(t, {}, { authority });
  t.equal(await ask(await stranger(), 'ann'), 'RpbAuthResp', 'behind the certificate');
  const [first = '', other = ''] = readFileSync(files.certFile, 'latin1').split(
    /(?<=END CERT.*-\n)/,
  );
  writeFileSync(files.certFile, first);
  writeFileSync(files.caFile, other + readFileSync(files.caFile, 'latin1'));
  certificates.reload();
  t.equal(await ask(await stranger(), 'ann'), 'RpbAuthResp', 'in the file of authorities');
});

t.test(
  'certificates signed with SHA-1 serve on both sides where the ciphers are set for it',
  async (t) => {
    const ciphers = 'DEFAULT@SECLEVEL=0';
    const authority = new Authority('of former days', 'sha1');
    const eve = authority.issue(t.testdir({ eve: {} }), 'eve@example');
    const [cert, key] = [readFileSync(eve.certFile), readFileSync(eve.keyFile)];
    const { port, ca } = await guarded(t, {}, { authority, ciphers });
    const clear = await BareClient.connect(port);
    const client = await clear.startTls({ ca, cert, key, ciphers });
    t.teardown(() => client.socket.destroy());
    t.equal(await ask(client, 'eve@example'), 'RpbAuthResp');
  },
);

t.test('a job needs what its inputs need, and walks no links', async (t) => {
  const { stranger, security } = await guarded(t);
  const client = await stranger();
  await ask(client, 'ann');
  const run = async (inputs: unknown, query: unknown = []): Promise<string> => {
    const request = Buffer.from(JSON.stringify({ inputs, query }));
    const content_type = name('application/json');
    return errorText(await client.ask(RpbMapRedReq, { request, content_type }));
  };
  const denied = (permission: string): string =>
    `Permission denied: User 'ann' does not have 'riak_kv.${permission}' on default/patients`;
  t.equal(await run('patients'), denied('list_keys'));
  t.equal(await run([['patients', 'k']]), denied('get'));
  t.equal(await run({ bucket: 'patients', index: 'a_bin', key: 'x' }), denied('index'));
  security.grant('ann', ['riak_kv.list_keys', 'riak_kv.get', 'riak_kv.index']);
  t.equal(await run('patients'), denied('mapreduce'));
  security.grant('ann', ['riak_kv.list_keys', 'riak_kv.mapreduce']);
  t.equal(await run('patients'), 'RpbMapRedResp');
  t.match(await run('patients', [{ link: {} }]), /^Link walking is deprecated/);
});
