/** A connection that was given up stays given up. */

import { createServer, type AddressInfo, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { credentials } from '@grpc/grpc-js';
import { dial } from '../../src/transport/channel.ts';
import { LINK_PATH, sameBytes } from '../../src/transport/peer-service.ts';

/** Longer than gRPC waits by itself before it tries again. */
const TRIES_AGAIN_MS = 1_500;

function listening(port: number): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

t.test('who gave up on a peer that was away does not connect when it is back', async (t) => {
  const away = await listening(0);
  const { port } = away.address() as AddressInfo;
  await new Promise((resolve) => away.close(resolve));

  const address = { host: '127.0.0.1', port };
  const options = { credentials: credentials.createInsecure(), keepaliveMs: 10_000 };
  for (let tries = 0; tries < 5; tries += 1) {
    const client = dial(address, { ...options, use: 'link' });
    const call = client.makeBidiStreamRequest<Buffer, Buffer>(LINK_PATH, sameBytes, sameBytes);
    await new Promise((resolve) => call.once('error', resolve));
    client.close();
  }
  // The last one's try after its end.
  await sleep(50);

  const back = await listening(port);
  t.teardown(() => back.close());
  let connections = 0;
  back.on('connection', () => (connections += 1));
  await sleep(TRIES_AGAIN_MS);
  t.equal(connections, 0);
});

t.test('a host is a host, whatever gRPC calls so', (t) => {
  const options = { credentials: credentials.createInsecure(), keepaliveMs: 10_000 };
  for (const host of ['example.org', 'dns', 'unix', 'ipv4', '10.0.0.1', '::1']) {
    const client = dial({ host, port: 8099 }, { ...options, use: 'link' });
    const text = host.includes(':') ? `[${host}]` : host;
    t.equal(client.getChannel().getTarget(), `dns:${text}:8099`);
    client.close();
  }
  t.end();
});
