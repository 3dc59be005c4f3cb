/** What a node logs in with at a source is read anew when its files change. */

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { SourceSecrets } from '../../src/cli/source-secrets.ts';
import { until } from '../api/pbc/served.ts';
import { VirtualHost } from '../replica/virtual-host.ts';
import { Authority } from '../transport/certificates.ts';

async function opened(t: Test) {
  const host = new VirtualHost();
  const folder = t.testdir({ password: 'first\n' });
  const passwordFile = join(folder, 'password');
  const login = {
    user: 'bob',
    passwordFile,
    caFile: undefined,
    certFile: undefined,
    keyFile: undefined,
    serverNames: [],
  };
  const secrets = await SourceSecrets.open(host, { source: 'a', login });
  return { host, passwordFile, secrets, login };
}

t.test('a file that changed is taken, and what did not change stays the same', async (t) => {
  const { host, passwordFile, secrets } = await opened(t);
  const before = secrets.current();
  t.equal(before.password, 'first');
  await secrets.reload();
  t.equal(secrets.current(), before);
  writeFileSync(passwordFile, 'second');
  await secrets.reload();
  t.equal(secrets.current().password, 'second');
  t.same(host.logged, ['replication.login-renewed']);
  t.equal(host.counters.get('replication_login_renewals_total'), 1);
});

t.test('files that cannot be used change nothing, and are told', async (t) => {
  const { host, passwordFile, secrets, login } = await opened(t);
  const before = secrets.current();
  rmSync(passwordFile);
  await secrets.reload();
  t.equal(secrets.current(), before);
  t.same(host.logged, ['replication.login-unusable']);
  t.equal(host.counters.get('replication_login_renewals_failed_total'), 1);
  await t.rejects(SourceSecrets.open(host, { source: 'a', login }), { code: 'config' });
  writeFileSync(passwordFile, 'no certificate');
  const unusable = { ...login, certFile: passwordFile, keyFile: passwordFile };
  const told = {
    code: 'config',
    message: new RegExp(`^${passwordFile}, .*: the certificates cannot be used`),
  };
  await t.rejects(SourceSecrets.open(host, { source: 'a', login: unusable }), told);
});

t.test('a file of authorities may begin with a mark of the order of bytes', async (t) => {
  const { host, login, passwordFile } = await opened(t);
  const { caFile } = new Authority('cluster').issue(dirname(passwordFile), 'source');
  const pem = readFileSync(caFile, 'utf8');
  writeFileSync(caFile, `\ufeff${pem}`);
  const secrets = await SourceSecrets.open(host, { source: 'a', login: { ...login, caFile } });
  t.match(secrets.current().ca?.toString('utf8'), pem);
});

t.test('they are looked at every minute, until that is ended', async (t) => {
  const { host, passwordFile, secrets } = await opened(t);
  secrets.watch();
  for (const password of ['second', 'third']) {
    writeFileSync(passwordFile, password);
    await host.advance(60_000);
    await until(() => secrets.current().password === password && host.timerCount === 1);
  }
  secrets.close();
  t.equal(host.timerCount, 0);
});
