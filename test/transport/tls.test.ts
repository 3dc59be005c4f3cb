/** TLS by configuration: both sides must show a certificate of the cluster's authority. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readPeerCredentials } from '../../src/transport/channel.ts';
import { codeOf, handlerOf, LIST_BUCKETS, names, ping, pong } from '../peer/peer-compliance.ts';
import { Authority } from './certificates.ts';
import { ANSWERER, Pair } from './peer-pair.ts';
import type { PairOptions } from './peer-pair.ts';

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
  t.throws(() => readPeerCredentials({ ...files, keyFile: join(folder, 'none.key') }), {
    code: 'config',
    message: /none\.key cannot be read/,
  });
  const damaged = join(folder, 'damaged.pem');
  writeFileSync(damaged, 'no certificate');
  t.throws(() => readPeerCredentials({ ...files, certFile: damaged }), {
    code: 'config',
    message: /damaged\.pem/,
  });
  t.end();
});
