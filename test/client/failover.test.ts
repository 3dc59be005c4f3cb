/** The client when nodes fail: what is asked again, what is not, and that no wait is without end. */

import { createServer } from 'node:net';
import t from 'tap';
import { VertebraClient } from '../../src/client/client.ts';
import { FrameDecoder } from '../../src/api/pbc/framing.ts';
import { name, serve, until } from '../api/pbc/served.ts';
import type { AddressInfo, Socket } from 'node:net';
import type { Test } from 'tap';
import type { ClientOptions, NodeAddress } from '../../src/client/client.ts';

const KEY = { type: name('default'), bucket: name('b'), key: name('k') };
const CONTENT = { value: Buffer.from('v') };
/** A node's refusal. */
const OVERLOAD = Buffer.from('0000000d000a086f7665726c6f61641000', 'hex');

async function liveNode(t: Test): Promise<NodeAddress> {
  const { server, port } = await serve();
  t.teardown(() => server.close());
  return { host: '127.0.0.1', port };
}

/** A node that does with each request what the test says. */
async function oddNode(t: Test, onRequest: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  let requests = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    const decoder = new FrameDecoder(1_000_000);
    socket.on('data', (piece: Buffer) => {
      decoder.push(piece);
      while (decoder.next().kind === 'frame') {
        requests += 1;
        onRequest(socket);
      }
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { address: { host: '127.0.0.1', port }, requests: () => requests };
}

/** An address where nobody listens. */
async function deadNode(): Promise<NodeAddress> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return { host: '127.0.0.1', port };
}

function clientOf(t: Test, nodes: readonly NodeAddress[], options: Partial<ClientOptions> = {}) {
  const client = new VertebraClient({ nodes, ...options });
  t.teardown(() => client.close());
  return client;
}

t.test('a node that is down is passed over, for reads and writes', async (t) => {
  const client = clientOf(t, [await deadNode(), await liveNode(t), await deadNode()]);
  for (let count = 0; count < 20; count += 1) {
    t.match(await client.put(KEY, CONTENT), { kind: 'stored' });
    t.match(await client.get(KEY), { kind: 'found' });
  }
});

t.test('when no node is up the fault says so, soon', async (t) => {
  const client = clientOf(t, [await deadNode(), await deadNode()]);
  const startMs = performance.now();
  await t.rejects(client.get(KEY), { code: 'peer-unreachable' });
  await t.rejects(client.put(KEY, CONTENT), { code: 'peer-unreachable' });
  t.ok(performance.now() - startMs < 10_000);
});

t.test('a read whose connection is cut is asked again elsewhere', async (t) => {
  const cutting = await oddNode(t, (socket) => socket.destroy());
  const client = clientOf(t, [cutting.address, await liveNode(t)]);
  await client.put(KEY, CONTENT, { isRepeatable: true });
  for (let count = 0; count < 10; count += 1) {
    t.match(await client.get(KEY), { kind: 'found' });
  }
  t.ok(cutting.requests() > 1);
});

t.test(
  'a write that may have been carried out is not asked again unless that is allowed',
  async (t) => {
    const cutting = await oddNode(t, (socket) => socket.destroy());
    const only = clientOf(t, [cutting.address]);
    await t.rejects(only.put(KEY, CONTENT), { code: 'peer-closed' });
    await t.rejects(only.delete(KEY), { code: 'peer-closed' });
    t.equal(cutting.requests(), 2);
    await t.rejects(only.put(KEY, CONTENT, { isRepeatable: true }), { code: 'peer-closed' });
    t.ok(cutting.requests() > 3);
  },
);

t.test('a node that hangs costs an attempt, not the request', async (t) => {
  const hanging = await oddNode(t, () => undefined);
  const client = clientOf(t, [hanging.address, await liveNode(t)], {
    attemptTimeoutMs: 100,
    timeoutMs: 5000,
  });
  await client.put(KEY, CONTENT, { isRepeatable: true });
  for (let count = 0; count < 10; count += 1) {
    t.match(await client.get(KEY), { kind: 'found' });
  }
  t.ok(hanging.requests() < 10, 'it is left alone for a while');
});

t.test('a node that hangs holds up few of many requests at a time', async (t) => {
  const hanging = await oddNode(t, () => undefined);
  const nodes = [hanging.address, await liveNode(t)];
  const client = clientOf(t, nodes, { attemptTimeoutMs: 1_000, connectionsPerNode: 20 });
  const round = () => Promise.all(Array.from({ length: 30 }, () => client.get(KEY)));
  await round();
  const before = hanging.requests();
  for (let count = 0; count < 10; count += 1) await round();
  t.ok(hanging.requests() - before <= 20, `${hanging.requests() - before} requests of 300`);
});

t.test('a request ends with its deadline', async (t) => {
  const hanging = await oddNode(t, () => undefined);
  const client = clientOf(t, [hanging.address], { connectionsPerNode: 1, waitingMax: 2 });
  const startMs = performance.now();
  const late = { code: 'timeout' };
  const timeoutMs = 200;
  await Promise.all([
    t.rejects(client.put(KEY, CONTENT, { timeoutMs }), late, 'on its way'),
    t.rejects(client.put(KEY, CONTENT, { timeoutMs }), late, 'waiting for a connection'),
    t.rejects(client.put(KEY, CONTENT, { timeoutMs }), late),
    t.rejects(client.put(KEY, CONTENT, { timeoutMs }), { code: 'overload' }, 'too many wait'),
  ]);
  t.ok(performance.now() - startMs < 5000);
});

t.test('an overloaded node sends readers elsewhere', async (t) => {
  const busy = await oddNode(t, (socket) => socket.write(OVERLOAD));
  const client = clientOf(t, [busy.address, await liveNode(t)]);
  await client.put(KEY, CONTENT, { isRepeatable: true });
  for (let count = 0; count < 6; count += 1) {
    t.match(await client.get(KEY), { kind: 'found' });
  }
  t.ok(busy.requests() > 0);
  await t.rejects(clientOf(t, [busy.address]).put(KEY, CONTENT), { code: 'overload' });
});

t.test(
  'an overloaded node is asked again after pauses that grow, within the time there is',
  async (t) => {
    const asked: number[] = [];
    const busy = await oddNode(t, (socket) => {
      asked.push(performance.now());
      socket.write(OVERLOAD);
    });
    const client = clientOf(t, [busy.address]);
    await t.rejects(client.get(KEY), { code: 'overload' });
    await t.rejects(client.listKeys(KEY.type, KEY.bucket).next(), { code: 'overload' });
    t.equal(asked.length, 8);
    for (const times of [asked.slice(0, 4), asked.slice(4)]) {
      const pauses = times.slice(1).map((time, index) => time - (times[index] as number));
      // Half of what they are on the average at least, and a timer may be a moment early.
      t.match(
        pauses.map((pauseMs, index) => pauseMs >= 25 * 2 ** index - 5),
        [true, true, true],
        `${pauses.map((pauseMs) => pauseMs.toFixed(1)).join(', ')} ms`,
      );
    }
    const before = asked.length;
    await t.rejects(client.get(KEY, { timeoutMs: 20 }), { code: /^(overload|timeout)$/ });
    t.equal(asked.length, before + 1, 'a pause beyond the deadline is not begun');
  },
);

t.test('closing ends the pause of what is to be asked again', async (t) => {
  const busy = await oddNode(t, (socket) => socket.write(OVERLOAD));
  const client = clientOf(t, [busy.address], { attemptsMax: 100 });
  const underWay = t.rejects(client.get(KEY), { code: 'closed' });
  await until(() => busy.requests() === 3);
  client.close();
  await underWay;
});

t.test('an answer that is none is a fault', async (t) => {
  const garbled = await oddNode(t, (socket) => socket.write(Buffer.from('000000030aff01', 'hex')));
  await t.rejects(clientOf(t, [garbled.address]).get(KEY), { code: 'malformed' });
  const confused = await oddNode(t, (socket) => socket.write(Buffer.from('0000000102', 'hex')));
  await t.rejects(clientOf(t, [confused.address]).get(KEY), { code: 'malformed' });
  const empty = await oddNode(t, (socket) => socket.write(Buffer.alloc(4)));
  await t.rejects(clientOf(t, [empty.address]).put(KEY, CONTENT), { code: 'peer-malformed' });
  const talkative = await oddNode(t, (socket) =>
    socket.write(Buffer.from('00000001020000000102', 'hex')),
  );
  const client = clientOf(t, [talkative.address]);
  await client.ping();
  await client.ping();
  t.pass('more than was asked for costs only the connection');
});

t.test('a stream that breaks after its first reply is not begun again', async (t) => {
  // RpbListKeysResp with the key 'a', and then nothing.
  const some = Buffer.from('00000004120a0161', 'hex');
  const breaking = await oddNode(t, (socket) => {
    socket.write(some);
    socket.end();
  });
  const client = clientOf(t, [breaking.address]);
  const keys: string[] = [];
  await t.rejects(
    (async () => {
      for await (const batch of client.listKeys(KEY.type, KEY.bucket)) keys.push(...batch);
    })(),
    { code: 'peer-closed' },
  );
  t.same(keys, ['a']);
  t.equal(breaking.requests(), 1);
});

t.test('a slow consumer of a stream is waited for', async (t) => {
  const batch = Buffer.from('00000004120a0161', 'hex');
  const done = Buffer.from('00000003121001', 'hex');
  const many = await oddNode(t, (socket) => {
    for (let count = 0; count < 200; count += 1) socket.write(batch);
    socket.write(done);
  });
  const client = clientOf(t, [many.address]);
  let batches = 0;
  for await (const _ of client.listKeys(KEY.type, KEY.bucket, { timeoutMs: 200 })) {
    batches += 1;
    if (batches === 1) {
      await new Promise((resolve) => {
        setTimeout(resolve, 500);
      });
    }
  }
  t.equal(batches, 200);
});

t.test('a connection whose stream came faster than it was taken goes on to serve', async (t) => {
  const batch = Buffer.from('00000004120a0161', 'hex');
  const done = Buffer.from('00000003121001', 'hex');
  const pong = Buffer.from('0000000102', 'hex');
  let answered = 0;
  const quick = await oddNode(t, (socket) => {
    answered += 1;
    // All of the listing at once, as of a ring whose partitions hold a few keys each.
    socket.write(
      answered === 1 ? Buffer.concat([...Array.from({ length: 20 }, () => batch), done]) : pong,
    );
  });
  const client = clientOf(t, [quick.address], { connectionsPerNode: 1, attemptTimeoutMs: 2_000 });
  let batches = 0;
  for await (const _ of client.listKeys(KEY.type, KEY.bucket)) batches += 1;
  t.equal(batches, 20);
  await client.ping();
  t.equal(answered, 2, 'asked once');
});

t.test('a stream has its connection to itself, however many requests may share one', async (t) => {
  const batch = Buffer.from('00000004120a0161', 'hex');
  const stored = Buffer.from('000000010c', 'hex');
  let answered = 0;
  const node = await oddNode(t, (socket) => {
    answered += 1;
    socket.write(answered === 1 ? batch : stored);
  });
  const client = clientOf(t, [node.address], { connectionsPerNode: 1, depth: 8 });
  const listing = client.listKeys(KEY.type, KEY.bucket);
  t.match(await listing.next(), { done: false });
  const put = client.put(KEY, CONTENT);
  // Whoever leaves a stream gives its connection up.
  await listing.return(undefined);
  t.match(await put, { kind: 'stored' });
  t.equal(answered, 2);
});

t.test('closing ends what is under way, and may be done twice', async (t) => {
  const hanging = await oddNode(t, () => undefined);
  const client = clientOf(t, [hanging.address], { connectionsPerNode: 1 });
  const underWay = t.rejects(client.get(KEY), { code: 'closed' });
  const waiting = t.rejects(client.get(KEY), { code: 'closed' });
  await until(() => hanging.requests() === 1);
  client.close();
  client.close();
  await Promise.all([underWay, waiting]);
  await t.rejects(client.get(KEY), { code: 'closed' });
});

t.test('connections at rest are closed before the server does it', async (t) => {
  const { server, port, gauges } = await serve();
  t.teardown(() => server.close());
  const client = clientOf(t, [{ host: '127.0.0.1', port }], { idleTimeoutMs: 50 });
  await client.ping();
  await until(() => gauges.get('pbc_connections') === 0);
  await client.ping();
  t.pass('and opened again');
});
