/** What another cluster's nodes get over Protocol Buffers, of real nodes and over real sockets. */

import { crc32 } from 'node:zlib';
import t, { type Test } from 'tap';
import { DEFAULT_BUCKET_TYPE } from '../../../src/base/names.ts';
import { RpbAaeFoldReplKeysReq } from '../../../src/api/pbc/messages/aae-fold-messages.ts';
import { DtUpdateReq } from '../../../src/api/pbc/messages/datatype-messages.ts';
import { RpbDelReq } from '../../../src/api/pbc/messages/delete-messages.ts';
import { decodeMessage, type MessageOf } from '../../../src/api/pbc/messages/message-type.ts';
import { RpbPutReq } from '../../../src/api/pbc/messages/put-messages.ts';
import {
  ReplicatedItem,
  ReplicatedLot,
  RpbFetchReq,
  RpbMembershipReq,
  RpbPushReq,
} from '../../../src/api/pbc/messages/replication-messages.ts';
import { decodeRecord } from '../../../src/object/record.ts';
import { ask } from '../http/served.ts';
import { serveCluster, type ServedCluster } from '../served-cluster.ts';
import { BareClient, errorText, name, until, type Received } from './served.ts';

const LIMITS = { fieldCountMax: 1_000_000 };
const FETCH = { queuename: name('q'), encoding: name('vertebra1') };
const WHOLE = { key_range: false, modified_range: false };

let cluster: ServedCluster;

t.before(async () => {
  cluster = await serveCluster({
    // As a configuration with queues has it: tombstones stay.
    reaper: { deleteMode: 'keep' },
    replication: {
      queueMaxBytes: 2 ** 20,
      queues: [
        { name: 'q', buckets: 'any' },
        { name: 'some', buckets: [{ type: DEFAULT_BUCKET_TYPE, bucket: name('some') }] },
      ],
    },
  });
});

t.teardown(async () => {
  await cluster.close();
  if (cluster.bugs.length > 0) throw new Error('a bug was met', { cause: cluster.bugs[0] });
});

async function connected(t: Test, node = 0): Promise<BareClient> {
  const client = await BareClient.connect(cluster.pbcPorts[node] ?? 0);
  t.teardown(() => client.socket.destroy());
  return client;
}

function itemsIn({ name: of, value }: Received): readonly MessageOf<typeof ReplicatedItem>[] {
  if (of !== 'RpbFetchResp') throw new Error(`${of} came`);
  if (value['queue_empty'] === true) return [];
  const lot = value['replencoded_object'] as Buffer;
  if (crc32(lot) !== value['crc_check']) throw new Error('the checksum is wrong');
  return decodeMessage(ReplicatedLot, lot, LIMITS).items;
}

async function fetchOn(client: BareClient): Promise<readonly MessageOf<typeof ReplicatedItem>[]> {
  return itemsIn(await client.ask(RpbFetchReq, FETCH));
}

/** Takes and acknowledges all that is there. */
async function drain(): Promise<void> {
  const client = await BareClient.connect(cluster.pbcPorts[0] ?? 0);
  while ((await fetchOn(client)).length > 0);
  client.socket.destroy();
}

function put(client: BareClient, key: string, bucket = 'b'): Promise<Received> {
  const content = { value: Buffer.from(`value of ${key}`) };
  return client.ask(RpbPutReq, { bucket: name(bucket), key: name(key), content });
}

t.test('what clients write at a node is fetched there, as it is stored', async (t) => {
  await drain();
  const client = await connected(t);
  await put(client, 'one');
  await put(client, 'two');
  await client.ask(RpbDelReq, { bucket: name('b'), key: name('two') });
  const typed = { type: name('counters'), bucket: name('b'), key: name('c') };
  const op = { counter_op: { increment: 3n } };
  const updated = await client.ask(DtUpdateReq, { ...typed, op });
  t.equal(updated.name, 'DtUpdateResp');
  // At another node: not on this one's queue.
  await put(await connected(t, 1), 'elsewhere');

  const items = await fetchOn(await connected(t));
  const shown = items.map(({ type, bucket, key, is_sync }) => [type, bucket, key, is_sync]);
  t.same(shown, [
    [undefined, 'b', 'one', false],
    [undefined, 'b', 'two', false],
    ['counters', 'b', 'c', false],
  ]);
  const objects = items.map(({ record }) => decodeRecord(record));
  t.match(objects[0], { siblings: [{ value: Buffer.from('value of one'), isTombstone: false }] });
  t.match(objects[1], { siblings: [{ isTombstone: true }] });
});

t.test('siblings are fetched all of them, whatever the bucket shows', async (t) => {
  await drain();
  const client = await connected(t);
  const type = name('siblings');
  for (const value of ['left', 'right']) {
    const content = { value: Buffer.from(value) };
    await client.ask(RpbPutReq, { type, bucket: name('b'), key: name('k'), content });
  }
  const items = await fetchOn(await connected(t));
  t.equal(items.length, 1, 'once, though it was written twice');
  const values = decodeRecord(items[0]?.record as Buffer)?.siblings.map(({ value }) =>
    value.toString(),
  );
  t.same(values?.sort(), ['left', 'right']);
});

t.test('when a connection ends its objects come again, once asked again they do not', async (t) => {
  await drain();
  const writer = await connected(t);
  for (const key of ['a', 'b', 'c']) await put(writer, key);
  const first = await connected(t);
  t.equal((await fetchOn(first)).length, 3);
  const second = await connected(t);
  t.same(await fetchOn(second), []);
  first.socket.destroy();
  await until(() => cluster.nodes[0]?.replication.status()[0]?.out === 0);
  t.same(
    (await fetchOn(second)).map(({ key }) => key),
    ['a', 'b', 'c'],
  );
  t.same(await fetchOn(second), []);
  second.socket.destroy();
  await until(() => cluster.nodes[0]?.replication.status()[0]?.consumers === 0);
  t.match(cluster.nodes[0]?.replication.status(), [{ realTime: 0, sync: 0, out: 0 }, {}]);
});

t.test('who does not name the encoding is told so, and takes nothing', async (t) => {
  await drain();
  const client = await connected(t);
  await put(client, 'k');
  for (const encoding of [undefined, name('internal')]) {
    const refused = await client.ask(RpbFetchReq, { queuename: name('q'), encoding });
    t.match(errorText(refused), /the encoding vertebra1 only/);
  }
  const unknown = await client.ask(RpbFetchReq, { ...FETCH, queuename: name('nowhere') });
  t.equal(errorText(unknown), 'There is no queue nowhere');
  const asked = await client.ask(RpbFetchReq, { queuename: name('nowhere') });
  t.equal(errorText(asked), 'RpbFetchResp', 'to a sink of Riak an unknown queue is an empty one');
  t.equal((await fetchOn(client)).length, 1);
});

t.test('pushed keys come behind what clients write, and those that the queue is for', async (t) => {
  await drain();
  const client = await connected(t);
  await put(client, 'pushed', 'some');
  await drain();
  const key = (bucket: string, of: string) => ({
    bucket: name(bucket),
    key: name(of),
    value: Buffer.alloc(0),
  });
  const keys = [key('some', 'pushed'), key('some', 'nowhere')];
  t.match(await client.ask(RpbPushReq, { queuename: name('q'), keys_value: keys }), {
    value: {
      queuename: 'q',
      queue_exists: true,
      foldq_length: 0,
      fsync_length: 2,
      realt_length: 0,
      taken_count: 2,
    },
  });
  const some = { queuename: name('some'), keys_value: [key('other', 'k')] };
  t.match(await client.ask(RpbPushReq, some), {
    value: { queue_exists: true, fsync_length: 0, taken_count: 0 },
  });
  const { value: asRiak } = await client.ask(RpbPushReq, some);
  t.equal(asRiak['drop_mark'], undefined, 'a client of Riak does not look for it');
  const nothing = { queuename: name('q') };
  const { value: told } = await client.ask(RpbPushReq, nothing);
  const compared_mark = told['drop_mark'] as number;
  t.type(compared_mark, 'number');
  t.match(await client.ask(RpbPushReq, { ...nothing, compared_mark }), {
    value: { queue_exists: true, drop_mark: compared_mark },
  });
  const nowhere = { queuename: name('nowhere'), keys_value: keys };
  t.match(await client.ask(RpbPushReq, nowhere), { value: { queue_exists: false } });
  await put(client, 'written');
  t.same(
    (await fetchOn(client)).map(({ key: each, is_sync }) => [each, is_sync]),
    [
      ['written', false],
      ['pushed', true],
    ],
    'what is nowhere is left out',
  );
});

t.test('a fold puts the keys of a range on a queue, over either protocol', async (t) => {
  const client = await connected(t);
  for (const key of ['a', 'b', 'c']) await put(client, key, 'folded');
  await client.ask(RpbDelReq, { bucket: name('folded'), key: name('c') });
  await drain();
  const range = { bucket: name('folded'), ...WHOLE, queuename: name('q') };
  const counted = await client.ask(RpbAaeFoldReplKeysReq, range);
  t.match(counted, {
    name: 'RpbAaeFoldKeyCountResp',
    value: { response_type: 'repl_keys', keys_count: [{ tag: 'dispatched_count', count: 3 }] },
  });
  const items = await fetchOn(client);
  t.same(items.map(({ key }) => key).sort(), ['a', 'b', 'c'], 'of a tombstone too');
  await drain();
  const [port = 0] = cluster.ports;
  const path = '/rangerepl/buckets/folded/queuename';
  const answer = await ask(port, `GET ${path}/q`);
  t.same([answer.status, answer.body.toString()], [200, '{"dispatched_count":3}']);
  const other = await ask(port, `GET ${path}/some`);
  t.equal(other.body.toString(), '{"dispatched_count":0}', 'the queue is not for that bucket');
  t.equal((await ask(port, `GET ${path}/nowhere`)).status, 404);
  t.match(
    errorText(await client.ask(RpbAaeFoldReplKeysReq, { ...range, queuename: name('x') })),
    /no queue/,
  );
});

t.test('the members that are up are told by where their clients go', async (t) => {
  const client = await connected(t);
  t.match(await client.ask(RpbMembershipReq, {}), {
    name: 'RpbMembershipResp',
    value: {
      up_nodes: [
        { ip: '127.0.0.1', port: 3 },
        { ip: '127.0.0.1', port: 3 },
        { ip: '127.0.0.1', port: 3 },
      ],
    },
  });
});
