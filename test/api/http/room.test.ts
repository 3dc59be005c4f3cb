/** Requests that wait at the node's entrance when they have been read. */

import t from 'tap';
import { HeldEntrance } from '../held-entrance.ts';
import { until } from '../pbc/served.ts';
import { connectRaw } from './raw-connection.ts';
import { ask, serve } from './served.ts';

async function servedBehind(entrance: HeldEntrance) {
  const served = await serve();
  served.node.entrance = entrance;
  return served;
}

const OBJECT = '/buckets/b/keys/k';

t.test('a request is served when there is room; a ping needs none', async (t) => {
  const entrance = new HeldEntrance();
  const { server, port } = await servedBehind(entrance);
  t.teardown(() => server.close(0));
  const headers = { 'content-type': 'text/plain' };
  const put = ask(port, `PUT ${OBJECT}`, { headers, body: 'v' });
  await until(() => entrance.waiters.length === 1);
  t.equal((await ask(port, 'GET /ping')).status, 200);
  entrance.admit();
  t.equal((await put).status, 204);
  const get = ask(port, `GET ${OBJECT}`);
  await until(() => entrance.waiters.length === 1);
  entrance.admit();
  t.equal((await get).body.toString(), 'v');
  t.same(entrance.works, ['node_put_fsm', 'node_get_fsm']);
  t.equal(entrance.inside, 0);
});

t.test('a refused request is overload, and nothing was done', async (t) => {
  const entrance = new HeldEntrance();
  const { server, port, node } = await servedBehind(entrance);
  t.teardown(() => server.close(0));
  node.get = () => Promise.reject(new Error('nothing is read'));
  const get = ask(port, `GET ${OBJECT}`);
  await until(() => entrance.waiters.length === 1);
  entrance.refuse();
  const { status, body } = await get;
  t.equal(status, 500);
  t.match(body.toString(), /overload/);
});

t.test('a sender that is slow holds no room, and one that goes leaves the line', async (t) => {
  const entrance = new HeldEntrance();
  const { server, port } = await servedBehind(entrance);
  t.teardown(() => server.close(0));
  const slow = await connectRaw(port);
  slow.socket.write(
    `PUT ${OBJECT} HTTP/1.1\r\nHost: h\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\n1`,
  );
  t.equal((await ask(port, 'GET /ping')).status, 200);
  t.equal(entrance.waiters.length, 0);
  slow.socket.write('2');
  await until(() => entrance.waiters.length === 1);
  slow.socket.destroy();
  await until(() => entrance.waiters.length === 0);
});
