/** Requests that wait at the node's entrance before they are read. */

import t from 'tap';
import { RpbGetReq } from '../../../src/api/pbc/messages/get-messages.ts';
import { RpbPutReq } from '../../../src/api/pbc/messages/put-messages.ts';
import { RpbPingReq } from '../../../src/api/pbc/messages/server-messages.ts';
import { HeldEntrance } from '../held-entrance.ts';
import { BareClient, errorText, frame, name, serve, until } from './served.ts';

const GET = { bucket: name('b'), key: name('k') };
const PUT = { ...GET, content: { value: Buffer.from('v') } };

async function servedBehind(entrance: HeldEntrance) {
  const served = await serve();
  served.node.entrance = entrance;
  return { ...served, client: await BareClient.connect(served.port) };
}

t.test('a request is served when there is room, and those behind it in their order', async (t) => {
  const entrance = new HeldEntrance();
  const { server, client, bugs } = await servedBehind(entrance);
  t.teardown(() => server.close());
  client.socket.write(
    Buffer.concat([frame(RpbPutReq, PUT), frame(RpbPingReq, {}), frame(RpbGetReq, GET)]),
  );
  await until(() => entrance.waiters.length === 1);
  entrance.admit();
  t.match(await client.next(), { name: 'RpbPutResp' });
  t.match(await client.next(), { name: 'RpbPingResp' });
  await until(() => entrance.waiters.length === 1);
  t.equal(entrance.inside, 0, 'the first has left');
  entrance.admit();
  t.match(await client.next(), {
    name: 'RpbGetResp',
    value: { content: [{ value: Buffer.from('v') }] },
  });
  t.same(entrance.works, ['node_put_fsm', 'node_get_fsm']);
  t.equal(entrance.inside, 0);
  t.same(bugs, []);
});

t.test('a refused request is overload, the connection goes on, nothing was done', async (t) => {
  const entrance = new HeldEntrance();
  const { server, client, port } = await servedBehind(entrance);
  t.teardown(() => server.close());
  client.send(RpbPutReq, PUT);
  await until(() => entrance.waiters.length === 1);
  const other = await BareClient.connect(port);
  t.match(await other.ask(RpbPingReq, {}), { name: 'RpbPingResp' }, 'a ping needs no room');
  entrance.refuse();
  t.equal(errorText(await client.next()), 'overload');
  client.send(RpbGetReq, GET);
  await until(() => entrance.waiters.length === 1);
  entrance.admit();
  t.match(await client.next(), { name: 'RpbGetResp', value: { content: [] } });
});

t.test('a request that cannot be read gives its room back', async (t) => {
  const entrance = new HeldEntrance();
  const { server, client } = await servedBehind(entrance);
  t.teardown(() => server.close());
  client.socket.write(Buffer.from('0000000209ff', 'hex'));
  await until(() => entrance.waiters.length === 1);
  entrance.admit();
  t.match(errorText(await client.next()), /^Error processing/);
  t.equal(entrance.inside, 0);
  t.equal(await client.next(), 'closed');
});

t.test('a client that goes leaves the line', async (t) => {
  const entrance = new HeldEntrance();
  const { server, client } = await servedBehind(entrance);
  t.teardown(() => server.close());
  client.send(RpbPutReq, PUT);
  await until(() => entrance.waiters.length === 1);
  client.socket.resetAndDestroy();
  await until(() => entrance.waiters.length === 0);
});
