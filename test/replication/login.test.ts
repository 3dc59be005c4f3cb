/** A source with security on: who logs in fetches what he may, and who may not is told so. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { DEFAULT_BUCKET_TYPE, type ObjectKey } from '../../src/base/names.ts';
import type { AbsorbOutcome, AbsorbRequest } from '../../src/coordinator/absorb.ts';
import { ReplicationQueues } from '../../src/node/replication-queues.ts';
import { decodeRecord } from '../../src/object/record.ts';
import { DIALLER } from '../../src/replication/dialler.ts';
import type { ReplicationNode } from '../../src/replication/ports.ts';
import { Sink } from '../../src/replication/sink.ts';
import { systemHost } from '../../src/telemetry/system-host.ts';
import { serve, until } from '../api/pbc/served.ts';
import { certificatesIn, PASSWORD, Security } from '../api/secured.ts';

const silent = (): void => {};
const HOST = systemHost(
  { debug: silent, info: silent, warn: silent, error: silent },
  { count: silent, gauge: silent, observe: silent },
);
const KEY: ObjectKey = {
  type: DEFAULT_BUCKET_TYPE,
  bucket: utf8ToByteString('b'),
  key: utf8ToByteString('k'),
};

/** A secured node with one object on its queue, and a sink that logs in as `bob`. */
async function securedSource(t: Test, first = PASSWORD) {
  let password = first;
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-login-'));
  const { files, certificates } = certificatesIn(folder, HOST);
  const { server, port, node } = await serve({ certificates });
  const security = new Security();
  node.gatekeeper = security.gatekeeper;
  node.replication = new ReplicationQueues(
    { host: HOST, read: (request) => node.get(request) },
    { queueMaxBytes: 1_000_000, queues: [{ name: 'site_a', buckets: 'any' }] },
  );
  const content = { value: Buffer.from('patient'), metadata: {}, isTombstone: false };
  await node.put({ key: KEY, content, returning: 'nothing' });
  node.replication.push(utf8ToByteString('site_a'), [KEY]);
  const absorbed: AbsorbRequest[] = [];
  const here: ReplicationNode = {
    id: node.id,
    liveMembers: () => [node.id],
    isMember: () => true,
    fold: (request, options) => node.fold(request, options),
    absorb: async (request): Promise<AbsorbOutcome> => {
      absorbed.push(request);
      return { kind: 'merged' };
    },
  };
  const sink = new Sink(
    { host: HOST, node: here, dialler: DIALLER },
    {
      name: 'a',
      queue: 'site_a',
      nodes: [{ host: '127.0.0.1', port }],
      credentials: () => ({
        user: utf8ToByteString('bob'),
        password: utf8ToByteString(password),
        ca: readFileSync(files.caFile),
        serverNames: [],
      }),
      workers: 1,
      fullSyncMs: 0,
    },
  );
  t.teardown(async () => {
    await sink.stop();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const start = (): void => {
    sink.start((error) => {
      throw error;
    });
  };
  const trouble = (): string => sink.status().nodes[0]?.trouble ?? '';
  const setPassword = (next: string): void => {
    password = next;
  };
  return { security, sink, absorbed, start, trouble, setPassword };
}

t.test('a user who may read fetches', async (t) => {
  const { security, absorbed, start } = await securedSource(t);
  security.grant('bob', ['riak_kv.get']);
  start();
  await until(() => absorbed.length === 1);
  const [{ key, record }] = absorbed as [AbsorbRequest];
  t.same(key, KEY);
  t.equal(String(decodeRecord(record)?.siblings[0]?.value), 'patient');
});

t.test('a user who may not is told so, and fetches once he may', async (t) => {
  const { security, absorbed, start, trouble } = await securedSource(t);
  start();
  await until(() => trouble() !== '');
  t.match(trouble(), /riak_kv\.get/);
  t.same(absorbed, []);
  security.grant('bob', ['riak_kv.get']);
  await until(() => absorbed.length === 1);
});

t.test('a wrong password is told, and never shown', async (t) => {
  const { absorbed, start, trouble } = await securedSource(t, 'wrong secret');
  start();
  await until(() => trouble() !== '');
  t.notMatch(trouble(), /wrong secret/);
  t.match(trouble(), /uthenticat/);
  t.same(absorbed, []);
});

t.test('a password that has changed is used from the next connection on', async (t) => {
  const { security, absorbed, start, trouble, setPassword } = await securedSource(t, 'old');
  security.grant('bob', ['riak_kv.get']);
  start();
  await until(() => trouble() !== '');
  t.same(absorbed, []);
  setPassword(PASSWORD);
  await until(() => absorbed.length === 1);
});
