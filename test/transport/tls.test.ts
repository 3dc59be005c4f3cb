/** TLS by configuration: both sides must show a certificate of the cluster's authority. */

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CertificateFiles, CLIENT_CERTIFICATES } from '../../src/transport/certificate-files.ts';
import { PeerCertificates } from '../../src/transport/peer-certificates.ts';
import { codeOf, handlerOf, LIST_BUCKETS, names, ping, pong } from '../peer/peer-compliance.ts';
import type { NodeId } from '../../src/base/names.ts';
import { Authority } from './certificates.ts';
import { ANSWERER, ASKER, End, Pair } from './peer-pair.ts';
import type { PairOptions } from './peer-pair.ts';
import { Relay } from './relay.ts';

const handler = handlerOf({
  async *handleStream() {
    yield names(1);
  },
});

async function dialled(options: PairOptions): Promise<Pair> {
  return new Pair(handler, options).start();
}

/** The link never comes up: why not, as the asker sees it. */
async function refusal(options: PairOptions): Promise<string> {
  const pair = await dialled(options);
  const reason = (): string => pair.peer.links()[0]?.reason ?? '';
  await pair.until(() => reason() !== 'not tried yet');
  const code = await codeOf(pair.peer.request(ANSWERER, ping(1), 1_000));
  pair.close();
  return `${code}: ${reason()}`;
}

t.test('requests and streams go through TLS when both have certificates', async (t) => {
  const folder = t.testdir();
  const authority = new Authority('cluster');
  const pair = await dialled({
    askerTls: authority.issue(folder, 'asker'),
    answererTls: authority.issue(folder, 'answerer'),
  });
  t.teardown(() => pair.close());
  await pair.isLinked();
  t.same(await pair.peer.request(ANSWERER, ping(1), 5_000), pong(ping(1)));
  const stream = pair.peer.stream(ANSWERER, LIST_BUCKETS, 5_000);
  t.same(await stream.next(), { done: false, value: names(1) });
});

t.test('who has no certificate, or one of another authority, is not let in', async (t) => {
  const folder = t.testdir();
  const authority = new Authority('cluster');
  const stranger = new Authority('cluster');
  const answererTls = authority.issue(folder, 'answerer');
  t.match(await refusal({ answererTls }), /^peer-unreachable: /, 'plain text');
  const askerTls = {
    ...stranger.issue(folder, 'stranger'),
    caFile: answererTls.caFile,
  };
  t.match(await refusal({ answererTls, askerTls }), /^peer-unreachable: /, 'another authority');
});

t.test('a server of another authority is not trusted', async (t) => {
  const folder = t.testdir();
  const askerTls = new Authority('cluster').issue(folder, 'asker');
  const answererTls = new Authority('cluster').issue(folder, 'answerer');
  t.match(await refusal({ answererTls, askerTls }), /^peer-unreachable: /);
});

t.test('a certificate file that is missing or damaged is a fault that names it', (t) => {
  const folder = t.testdir();
  const files = new Authority('cluster').issue(folder, 'node');
  const { host } = new End(ANSWERER);
  t.throws(() => new PeerCertificates(host, { ...files, keyFile: join(folder, 'none.key') }), {
    code: 'config',
    message: /none\.key cannot be read/,
  });
  const damaged = join(folder, 'damaged.pem');
  writeFileSync(damaged, 'no certificate');
  t.throws(() => new PeerCertificates(host, { ...files, certFile: damaged }), {
    code: 'config',
    message: /damaged\.pem/,
  });
  t.end();
});

t.test('a list of revoked certificates that cannot be used is a fault that names it', (t) => {
  const folder = t.testdir();
  const files = new Authority('cluster').issue(folder, 'node');
  const { host } = new End(ANSWERER);
  const damaged = join(folder, 'damaged.crl');
  writeFileSync(damaged, 'no list');
  t.throws(() => new PeerCertificates(host, { ...files, crlFile: damaged }), {
    code: 'config',
    message: /damaged\.crl is no list of revoked certificates/,
  });
  t.throws(() => new PeerCertificates(host, { ...files, crlFile: join(folder, 'none.crl') }), {
    code: 'config',
    message: /none\.crl cannot be read/,
  });
  t.end();
});

t.test('a node whose certificate is revoked is let in no more, and lets nobody in', async (t) => {
  const folder = t.testdir();
  const authority = new Authority('cluster');
  const crlFile = join(folder, 'cluster.crl');
  authority.revoke(crlFile, []);
  const askerTls = { ...authority.issue(folder, 'asker'), crlFile };
  const answererTls = { ...authority.issue(folder, 'answerer'), crlFile };
  const pair = await dialled({ askerTls, answererTls });
  t.teardown(() => pair.close());
  await pair.isLinked();
  t.equal(pair.asker.counted('tls_renewals_total'), 0);

  for (const { certFile } of [askerTls, answererTls]) {
    authority.revoke(crlFile, [certFile]);
    pair.askerCertificates.reload();
    pair.answererCertificates.reload();
    pair.redial();
    await pair.until(() => !/^$|not tried/.test(pair.peer.links()[0]?.reason ?? ''));
    t.match(pair.peer.links()[0], { isOpen: false, reason: /UNAVAILABLE/ }, certFile);
    authority.revoke(crlFile, []);
    pair.askerCertificates.reload();
    pair.answererCertificates.reload();
    pair.redial();
    await pair.isLinked();
  }

  // The one that has ended vouches for nobody.
  authority.revoke(crlFile, [], -1);
  t.match(await refusal({ askerTls, answererTls }), /^peer-unreachable: /);
});

t.test('of several lists of revoked certificates, one behind the other, each counts', async (t) => {
  const folder = t.testdir();
  const first = new Authority('first');
  const between = first.intermediate('between');
  const lists = [join(folder, 'first.crl'), join(folder, 'between.crl')] as const;
  const crlFile = join(folder, 'all.crl');
  const list = (revoked: readonly string[], order: readonly string[]): void => {
    first.revoke(lists[0], []);
    between.revoke(lists[1], revoked);
    writeFileSync(crlFile, order.map((file) => readFileSync(file, 'utf8')).join('\n'));
  };
  list([], lists);
  const askerTls = { ...between.issue(folder, 'asker'), crlFile };
  const answererTls = { ...first.issue(folder, 'answerer'), crlFile };
  const pair = await dialled({ askerTls, answererTls });
  t.teardown(() => pair.close());
  await pair.isLinked();
  for (const order of [lists, lists.toReversed()]) {
    list([askerTls.certFile], order);
    pair.answererCertificates.reload();
    pair.redial();
    await pair.until(() => !/^$|not tried/.test(pair.peer.links()[0]?.reason ?? ''));
    t.match(pair.peer.links()[0], { isOpen: false, reason: /UNAVAILABLE/ });
    list([], order);
    pair.answererCertificates.reload();
    pair.redial();
    await pair.isLinked();
  }
});

t.test('authorities and lists count however they stand in their file', async (t) => {
  const folder = t.testdir();
  const first = new Authority('first');
  const second = new Authority('second');
  const revoked = [join(folder, 'first.crl'), join(folder, 'second.crl')] as const;
  first.revoke(revoked[0], []);
  second.revoke(revoked[1], []);
  const asker = first.issue(folder, 'asker');
  const answerer = second.issue(folder, 'answerer');
  const read = (path: string): string => readFileSync(path, 'utf8').trimEnd();
  for (const [what, together] of [
    ['without a line end between', (one, other) => one + other],
    ['with comments that name the marks', (one, other) => commented(one) + commented(other)],
    ['with marks of the order of bytes', (one, other) => `\ufeff${one}\n\ufeff${other}`],
  ] as const satisfies readonly [string, (one: string, other: string) => string][]) {
    const caFile = join(folder, 'both.pem');
    const crlFile = join(folder, 'both.crl');
    writeFileSync(caFile, together(read(asker.caFile), read(answerer.caFile)));
    writeFileSync(crlFile, together(read(revoked[0]), read(revoked[1])));
    const askerTls = { ...asker, caFile, crlFile };
    const answererTls = { ...answerer, caFile, crlFile };
    const pair = await dialled({ askerTls, answererTls });
    t.teardown(() => pair.close());
    await pair.isLinked();
    t.match(pair.peer.links()[0], { isOpen: true }, what);
  }
});

/** As somebody writes who wants to say what follows. */
function commented(pem: string): string {
  return `# between -----BEGIN CERTIFICATE----- or -----BEGIN X509 CRL-----\n# and the end\n${pem}\n`;
}

t.test('a file of authorities or lists of which not all can be read is not used', async (t) => {
  const folder = t.testdir();
  const authority = new Authority('cluster');
  const crlFile = join(folder, 'cluster.crl');
  authority.revoke(crlFile, []);
  const files = { ...authority.issue(folder, 'node'), crlFile };
  const { host } = new End(ANSWERER);
  for (const name of ['caFile', 'crlFile'] as const) {
    const whole = readFileSync(files[name], 'utf8');
    const [head, ...rest] = whole.split('\n');
    for (const [what, damaged] of [
      ['nothing', ''],
      ['text', 'no PEM'],
      ['half of one', whole.slice(0, whole.length / 2)],
      ['one and half of another', whole + whole.slice(0, whole.length / 2)],
      ['one whose end is that of another', whole + whole.slice(0, 100) + whole],
      ['one that is none', [head, 'AAAA', rest.at(-2), ''].join('\n')],
    ] as const) {
      const file = join(folder, `damaged ${name}`);
      writeFileSync(file, damaged);
      const told = { code: 'config', message: new RegExp(`damaged ${name} `) };
      t.throws(() => new PeerCertificates(host, { ...files, [name]: file }), told, what);
    }
    const commented = join(folder, `commented ${name}`);
    writeFileSync(commented, `of 2026\n${whole}and of 2025\r\n${whole.replaceAll('\n', '\r\n')}`);
    t.doesNotThrow(
      () => new PeerCertificates(host, { ...files, [name]: commented }),
      'text between',
    );
  }
});

t.test('what is wrong with a certificate or its key is said', (t) => {
  const folder = t.testdir();
  const files = new Authority('cluster').issue(folder, 'node');
  const other = new Authority('cluster').issue(folder, 'other');
  const old = new Authority('of former days', 'sha1').issue(folder, 'old');
  const { host } = new End(ANSWERER);
  t.throws(() => new PeerCertificates(host, { ...files, keyFile: other.keyFile }), {
    code: 'config',
    message: /node\.pem and .*other\.key .*mismatch/,
  });
  t.throws(() => new PeerCertificates(host, old), { code: 'config', message: /md too weak/ });
  t.end();
});

t.test('a caller must show a certificate for the name that it gives', async (t) => {
  const folder = t.testdir();
  const authority = new Authority('cluster');
  // The certificates are for 127.0.0.1 besides.
  const elsewhere = 'asker@10.9.9.9' as NodeId;
  const dial = async (asker: NodeId, commonName: string): Promise<Pair> => {
    const pair = new Pair(handler, {
      asker: { node: asker },
      askerTls: authority.issue(folder, commonName),
      answererTls: authority.issue(folder, 'answerer'),
      verifiesNames: true,
    });
    t.teardown(() => pair.close());
    pair.answerer.members = [asker, ANSWERER];
    return pair.start();
  };
  const refused = await dial(elsewhere, 'another@10.9.9.9');
  await refused.until(() => refused.peer.links()[0]?.reason !== 'not tried yet');
  t.match(refused.peer.links()[0], {
    isOpen: false,
    reason: 'the certificate shown is not for asker@10.9.9.9',
  });
  t.match(refused.answerer.events('peer.refused'), [{ refusal: 'other-certificate' }]);
  const named = await dial(elsewhere, elsewhere);
  await named.isLinked();
  const stream = named.peer.stream(ANSWERER, LIST_BUCKETS, 5_000);
  t.same(await stream.next(), { done: false, value: names(1) });
  await (await dial(ASKER, 'whoever')).isLinked();
});

t.test('certificates and their authority change while the nodes run', async (t) => {
  const folder = t.testdir();
  const [old, fresh] = [new Authority('old'), new Authority('new')];
  const tls = { asker: old.issue(folder, 'asker'), answerer: old.issue(folder, 'answerer') };
  const next = { asker: fresh.issue(folder, 'next'), answerer: fresh.issue(folder, 'next too') };
  const pair = await dialled({ askerTls: tls.asker, answererTls: tls.answerer });
  t.teardown(() => pair.close());
  await pair.isLinked();
  const renew = (): void => {
    pair.askerCertificates.reload();
    pair.answererCertificates.reload();
    pair.redial();
  };
  const trust = (...authorities: string[]): void => {
    const pem = authorities.map((file) => readFileSync(file, 'utf8')).join('');
    for (const { caFile } of Object.values(tls)) writeFileSync(caFile, pem);
  };
  const oldAuthority = join(folder, 'old authority.pem');
  copyFileSync(tls.asker.caFile, oldAuthority);

  trust(oldAuthority, next.asker.caFile);
  renew();
  await pair.isLinked();
  copyFileSync(next.asker.certFile, tls.asker.certFile);
  renew();
  await pair.isLinked();
  t.equal(pair.asker.counted('tls_renewals_failed_total'), 1, 'a certificate without its key');
  for (const end of ['asker', 'answerer'] as const) {
    copyFileSync(next[end].certFile, tls[end].certFile);
    copyFileSync(next[end].keyFile, tls[end].keyFile);
  }
  renew();
  await pair.isLinked();
  trust(next.asker.caFile);
  renew();
  await pair.isLinked();
  t.equal(pair.asker.counted('tls_renewals_total'), 3);
  renew();
  await pair.isLinked();
  t.equal(pair.asker.counted('tls_renewals_total'), 3, 'what has not changed is left alone');

  old.issue(folder, 'asker');
  trust(next.asker.caFile);
  renew();
  await pair.until(() => !['not tried yet', ''].includes(pair.peer.links()[0]?.reason ?? ''));
  t.equal(pair.peer.isLinked(ANSWERER), false, 'the old authority vouches for nobody any more');
});

t.test('streams of a link that stays open use the newest certificates, too', async (t) => {
  const folder = t.testdir();
  const [old, fresh] = [new Authority('old'), new Authority('new')];
  const tls = { asker: old.issue(folder, 'asker'), answerer: old.issue(folder, 'answerer') };
  const next = fresh.issue(folder, 'next');
  const relay = new Relay();
  const pair = await dialled({
    askerTls: tls.asker,
    answererTls: tls.answerer,
    via: (port) => relay.open(port),
  });
  t.teardown(() => {
    pair.close();
    relay.close();
  });
  await pair.isLinked();
  const list = (): Promise<unknown> => pair.peer.stream(ANSWERER, LIST_BUCKETS, 5_000).next();
  t.match(await list(), { done: false });

  copyFileSync(next.certFile, tls.asker.certFile);
  copyFileSync(next.keyFile, tls.asker.keyFile);
  copyFileSync(next.caFile, tls.answerer.caFile);
  pair.askerCertificates.reload();
  pair.answererCertificates.reload();
  // As the server does where a connection has been at rest for five minutes.
  relay.cutAllButFirst();
  let isListed = false;
  await pair.until(() => {
    if (!isListed)
      void list().then(
        () => (isListed = true),
        () => {},
      );
    return isListed;
  });
  t.equal(pair.asker.counted('peer_links_lost'), 0, 'the link has stayed');
});

t.test('a stream that is under way goes on when certificates change', async (t) => {
  const folder = t.testdir();
  const authority = new Authority('cluster');
  const askerTls = authority.issue(folder, 'asker');
  const answererTls = authority.issue(folder, 'answerer');
  let go = (): void => {};
  const gone = new Promise<void>((resolve) => (go = resolve));
  let count = 0;
  const slow = handlerOf({
    async *handleStream() {
      count += 1;
      yield names(1);
      if (count === 1) await gone;
      yield names(2);
    },
  });
  const pair = await new Pair(slow, { askerTls, answererTls }).start();
  t.teardown(() => pair.close());
  await pair.isLinked();
  const first = pair.peer.stream(ANSWERER, LIST_BUCKETS, 60_000);
  t.same(await first.next(), { done: false, value: names(1) });
  authority.issue(folder, 'asker');
  pair.askerCertificates.reload();
  t.equal(pair.asker.counted('tls_renewals_total'), 1);
  const second = pair.peer.stream(ANSWERER, LIST_BUCKETS, 60_000);
  t.same(await second.next(), { done: false, value: names(1) });
  go();
  t.same(await first.next(), { done: false, value: names(2) });
  t.match(await first.next(), { done: true });
});

t.test('a certificate that is not valid yet, or not any more, waits for its time', async (t) => {
  const folder = t.testdir();
  const authority = new Authority('cluster');
  const askerTls = authority.issue(folder, 'asker');
  const answererTls = authority.issue(folder, 'answerer');
  const pair = await dialled({ askerTls, answererTls });
  t.teardown(() => pair.close());
  await pair.isLinked();
  const renew = (valid: readonly [number, number]): void => {
    const { certFile, keyFile } = authority.issue(folder, 'renewed', valid);
    copyFileSync(certFile, askerTls.certFile);
    copyFileSync(keyFile, askerTls.keyFile);
  };
  // Authorities and nodes do not always agree on what time it is.
  for (const valid of [
    [0.1, 2],
    [-2, -0.1],
  ] as const) {
    renew(valid);
    pair.askerCertificates.reload();
    pair.redial();
    await pair.isLinked();
    const [told] = pair.asker.events('peer.certificates.unusable').slice(-1);
    t.match(told, { reason: /asker\.pem is valid from .* to .* only/ });
  }
  t.equal(pair.asker.counted('tls_renewals_failed_total'), 2);
  t.equal(pair.asker.counted('tls_renewals_total'), 0);
  renew([-0.1, 2]);
  pair.askerCertificates.reload();
  t.equal(pair.asker.counted('tls_renewals_total'), 1);
  // What was revoked counts all the same.
  const crlFile = join(folder, 'cluster.crl');
  authority.revoke(crlFile, []);
  const files = new CertificateFiles(
    pair.asker.host,
    { ...askerTls, crlFile },
    CLIENT_CERTIFICATES,
  );
  const { cert, key, crl } = files.current();
  renew([0.1, 2]);
  authority.revoke(crlFile, [answererTls.certFile]);
  files.reload();
  t.ok(files.current().cert.equals(cert) && files.current().key.equals(key));
  t.notSame(files.current().crl, crl);
  // There is no other to go on with at a start, and the clock may be what is wrong.
  renew([0.1, 2]);
  t.doesNotThrow(() => new PeerCertificates(pair.asker.host, askerTls));
});
