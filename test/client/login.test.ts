/** The client where security is on: whom it trusts, what it shows, and what it makes of a refusal. */

import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import t from 'tap';
import { VertebraClient } from '../../src/client/client.ts';
import { systemHost } from '../../src/telemetry/system-host.ts';
import { RpbStartTls } from '../../src/api/pbc/messages/server-messages.ts';
import { PASSWORD, Security, certificatesIn } from '../api/secured.ts';
import { frame, name, serve } from '../api/pbc/served.ts';
import { Authority } from '../transport/certificates.ts';
import type { AddressInfo, Socket } from 'node:net';
import type { Test } from 'tap';
import type { Clock } from '../../src/base/host.ts';
import type { Credentials } from '../../src/client/credentials.ts';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const HOST = systemHost(SILENT, { count() {}, gauge() {}, observe() {} });
const KEY = { type: name('default'), bucket: name('b'), key: name('k') };
const CONTENT = { value: Buffer.from('v') };

/** What is refused is told after five seconds: here at once. */
const HASTY: Clock = {
  wallMicros: () => HOST.clock.wallMicros(),
  monotonicMs: () => HOST.clock.monotonicMs(),
  after: (delayMs, run) => HOST.clock.after(delayMs === 5_000 ? 0 : delayMs, run),
};

async function guarded(t: Test) {
  const { authority, files, certificates } = certificatesIn(t.testdir(), HOST);
  const served = await serve({ certificates, clock: HASTY });
  t.teardown(() => served.server.close());
  const security = new Security();
  served.node.gatekeeper = security.gatekeeper;
  const bob: Credentials = {
    user: name('bob'),
    password: name(PASSWORD),
    ca: readFileSync(files.caFile),
    serverNames: [],
  };
  const clientOf = (credentials: Credentials | undefined): VertebraClient => {
    const nodes = [{ host: '127.0.0.1', port: served.port }];
    const client = new VertebraClient({ nodes, credentials, timeoutMs: 20_000 });
    t.teardown(() => client.close());
    return client;
  };
  return { ...served, authority, security, bob, clientOf };
}

t.test('over TLS with a password all is as in clear', async (t) => {
  const { security, bob, clientOf, counts } = await guarded(t);
  security.grant('bob', ['riak_kv.get', 'riak_kv.put', 'riak_kv.list_keys']);
  const client = clientOf(bob);
  const value = Buffer.alloc(100_000, 'x');
  const keys = Array.from({ length: 4 }, (_, index) => ({ ...KEY, key: name(`k${index}`) }));
  await Promise.all(keys.map((key) => client.put(key, { value })));
  const found = await Promise.all(keys.map((key) => client.get(key)));
  t.ok(found.every((got) => got.kind === 'found' && got.siblings[0]?.value.equals(value)));
  const listed = [];
  for await (const batch of client.listKeys(KEY.type, KEY.bucket)) listed.push(...batch);
  t.equal(listed.length, 4);
  await t.rejects(client.delete(KEY), {
    code: 'peer-refused',
    message: "Permission denied: User 'bob' does not have 'riak_kv.delete' on default/b",
  });
  t.equal(counts.get('pbc_strangers_refused_total'), undefined, 'nothing is asked too early');
});

t.test('a certificate is as good as a password', async (t) => {
  const { security, authority, bob, clientOf } = await guarded(t);
  security.grant('eve@example', ['riak_kv.put']);
  const { certFile, keyFile } = authority.issue(t.testdir(), 'eve@example');
  const [cert, key] = [readFileSync(certFile), readFileSync(keyFile)];
  const eve = { ...bob, user: name('eve@example'), password: name(''), cert, key };
  t.match(await clientOf(eve).put(KEY, CONTENT), { kind: 'stored' });
  const { key: _key, ...keyless } = eve;
  t.throws(() => clientOf({ ...keyless, key: Buffer.from('x') }), {
    code: 'config',
    message: /certificates cannot be used/,
  });
  const ca = bob.ca?.toString() ?? '';
  for (const part of ['', 'no PEM', ca.slice(0, 200), ca + ca.slice(0, 200)]) {
    t.throws(() => clientOf({ ...bob, ca: Buffer.from(part) }), {
      code: 'config',
      message: /certificates cannot be used/,
    });
  }
});

t.test('who is not let in is told so, and does not try again and again', async (t) => {
  const { security, bob, clientOf, port, counts } = await guarded(t);
  const refused = (message: string) => ({ code: 'login-refused', message });
  await t.rejects(
    clientOf({ ...bob, password: name('guess') }).put(KEY, CONTENT),
    refused(`127.0.0.1:${port}: Authentication failed`),
  );
  t.equal(counts.get('pbc_auth_failed_total'), 1);
  await t.rejects(
    clientOf(undefined).get(KEY),
    refused('Security is enabled, please STARTTLS first'),
  );
  security.isEnabled = false;
  await t.rejects(
    clientOf(bob).get(KEY),
    refused(`127.0.0.1:${port}: Security not enabled; STARTTLS not allowed.`),
    'nor does it go on in clear',
  );
});

t.test('a node that is not the one it should be is told no password', async (t) => {
  const { bob, clientOf, port, counts } = await guarded(t);
  const untrusted = { code: 'peer-unreachable', message: /^127\.0\.0\.1:\d+ .*: no TLS: / };
  const { caFile } = new Authority('clients').issue(t.testdir(), 'other');
  await t.rejects(clientOf({ ...bob, ca: readFileSync(caFile) }).get(KEY), untrusted);
  await t.rejects(clientOf({ ...bob, ca: undefined }).get(KEY), untrusted);
  await t.rejects(clientOf({ ...bob, serverNames: ['riak.example'] }).get(KEY), untrusted);
  t.equal(counts.get('pbc_auth_failed_total'), undefined);
  const named = clientOf({ ...bob, serverNames: ['riak.example', '127.0.0.1'] });
  await t.rejects(named.get(KEY), { message: /riak_kv\.get/ }, 'any of the names will do');
  t.ok(port > 0);
});

t.test(
  'no variable of the environment makes a client believe whom nobody vouches for',
  async (t) => {
    const { bob, clientOf, counts } = await guarded(t);
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    t.teardown(() => {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
    });
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    const { caFile } = new Authority('clients').issue(t.testdir(), 'other');
    for (const doubted of [{ ca: readFileSync(caFile) }, { serverNames: ['riak.example'] }]) {
      const untrusted = { code: 'peer-unreachable', message: /: no TLS: / };
      await t.rejects(clientOf({ ...bob, ...doubted }).get(KEY), untrusted);
    }
    t.equal(counts.get('pbc_tls_handshakes_total') ?? 0, 0);
  },
);

t.test('what comes in clear behind STARTTLS ends the connection', async (t) => {
  const { bob } = await guarded(t);
  const sockets = new Set<Socket>();
  const forger = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    const answer = frame(RpbStartTls, {});
    socket.once('data', () => socket.write(Buffer.concat([answer, Buffer.from('more')])));
  });
  await new Promise<void>((resolve) => {
    forger.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    forger.close();
  });
  const { port } = forger.address() as AddressInfo;
  const client = new VertebraClient({ nodes: [{ host: '127.0.0.1', port }], credentials: bob });
  t.teardown(() => client.close());
  await t.rejects(client.get(KEY), { code: 'peer-unreachable' });
});
