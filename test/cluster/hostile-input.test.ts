/**
 * A real process under hostile input: it lives, its memory stays bounded, and the others are served.
 */

import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import t from 'tap';
import type { DevNode } from '../../src/cli/dev-cluster.ts';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { VertebraClient } from '../../src/client/client.ts';
import { startCluster } from './local-cluster.ts';

const DEADLINE_MS = 120_000;
const MEBIBYTE = 1024 * 1024;
/** What the attacks of one test may add to the process, Node's own slack included. */
const GROWTH_MAX_BYTES = 256 * MEBIBYTE;

// Who begins well on the port for peers and then says nothing is found out by a probe.
const { cluster, nodes, close } = await startCluster(1, {}, 'peer: { keepalive: 1s }\n');
const [node] = nodes as readonly [DevNode];
const client = new VertebraClient({ nodes: [{ host: node.host, port: node.pbcPort }] });
t.teardown(async () => {
  client.close();
  await close();
});
const pid = cluster.mustChild(node.name).pid ?? 0;
const key = {
  type: utf8ToByteString('default'),
  bucket: utf8ToByteString('patients'),
  key: utf8ToByteString('9990000018'),
};

t.beforeEach(async () => {
  await client.put(key, { value: Buffer.from('alive') });
});

t.test('a frame that promises too much is refused, and costs nothing', async (t) => {
  const before = residentBytes();
  const sockets = await Promise.all(Array.from({ length: 40 }, () => open(node.pbcPort)));
  for (const socket of sockets) socket.write(Buffer.from([0x7f, 0xff, 0xff, 0xff, 11, 1, 2, 3]));
  await Promise.all(sockets.map(closed));
  // Empty frames, unknown codes, and messages that are none.
  for (const text of [
    '\0\0\0\0',
    '\0\0\0\x01\xfe',
    '\0\0\0\x04\x0b\xff\xff\xff',
    'GET / HTTP/1.1\r\n',
  ]) {
    const socket = await open(node.pbcPort);
    socket.end(Buffer.from(text, 'latin1'));
    await closed(socket);
  }
  await servesStill(t, before);
});

t.test('half-sent frames and headers hold little, and hold nobody up', async (t) => {
  const before = residentBytes();
  const begunFrame = Buffer.concat([Buffer.from([3, 0, 0, 0, 11]), Buffer.alloc(1_000)]);
  const begunHeader = Buffer.from('GET /buckets/patients/keys/x HTTP/1.1\r\nHost: x\r\nX-Slow: ');
  const sockets = await Promise.all([
    ...Array.from({ length: 150 }, () => open(node.pbcPort)),
    ...Array.from({ length: 150 }, () => open(node.httpPort)),
  ]);
  for (const [index, socket] of sockets.entries()) {
    socket.write(index < 150 ? begunFrame : begunHeader);
  }
  await servesStill(t, before);
  for (const socket of sockets) socket.destroy();
  await servesStill(t, before);
});

t.test('headers without end and bodies over the limit are cut off', async (t) => {
  const before = residentBytes();
  const header = await open(node.httpPort);
  header.write('GET /ping HTTP/1.1\r\nHost: x\r\n');
  await pour(header, Buffer.from(`X-Padding: ${'p'.repeat(8_000)}\r\n`.repeat(8)));
  t.pass('the header was cut off');

  const declared = await open(node.httpPort);
  declared.write(
    'PUT /buckets/patients/keys/big HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n' +
      'Content-Length: 99999999999\r\n\r\n',
  );
  t.match(await firstLine(declared), /^HTTP\/1\.1 413/);

  const chunked = await open(node.httpPort);
  chunked.write(
    'PUT /buckets/patients/keys/big HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n' +
      'Transfer-Encoding: chunked\r\n\r\n',
  );
  const piece = Buffer.alloc(MEBIBYTE, 'x');
  await pour(chunked, Buffer.concat([Buffer.from('100000\r\n'), piece, Buffer.from('\r\n')]));
  t.pass('the body was cut off');
  await servesStill(t, before);
});

t.test('garbage on the port for peers is dropped', async (t) => {
  const before = residentBytes();
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
  const garbage = Buffer.from(
    Array.from({ length: 4_096 }, (_, index) => (index * 97 + 31) & 0xff),
  );
  const pieces = [
    garbage,
    Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    Buffer.concat([Buffer.from(preface), garbage]),
    // A settings frame that promises 16 MiB, and a stream that was never opened.
    Buffer.concat([Buffer.from(preface), Buffer.from([0xff, 0xff, 0xff, 4, 0, 0, 0, 0, 0])]),
    Buffer.concat([Buffer.from(preface), Buffer.from([0, 0, 1, 0, 0, 0, 0, 0, 9, 1])]),
  ];
  for (const piece of pieces) {
    const sockets = await Promise.all(Array.from({ length: 10 }, () => open(node.peerPort)));
    for (const socket of sockets) socket.end(piece);
    await Promise.all(sockets.map(closed));
  }
  await servesStill(t, before);
});

async function servesStill(t: Pick<Tap, 'ok' | 'equal'>, beforeBytes: number): Promise<void> {
  const found = await client.get(key);
  t.equal(found.kind === 'found' && found.siblings[0]?.value.toString(), 'alive');
  const response = await fetch(
    `http://${node.host}:${node.httpPort}/buckets/patients/keys/9990000018`,
  );
  t.equal(await response.text(), 'alive');
  const grownBytes = residentBytes() - beforeBytes;
  t.ok(grownBytes < GROWTH_MAX_BYTES, `${Math.round(grownBytes / MEBIBYTE)} MiB more`);
}

type Tap = typeof t;

/** VmRSS of the node's process; without it the process is gone. */
function residentBytes(): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: node.host }, () => resolve(socket));
    socket.once('error', reject);
    // The node may reset a connection; that it is closed is what is looked at.
    socket.on('error', () => undefined);
  });
}

/** Resolves when the node has closed the connection, whatever it sent before. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const deadline = setTimeout(() => reject(new Error('not closed in time')), DEADLINE_MS);
    socket.resume();
    socket.once('close', () => {
      clearTimeout(deadline);
      resolve();
    });
    if (socket.closed) socket.emit('close');
  });
}

/** Sends `piece` again and again until the node cuts the connection. */
async function pour(socket: Socket, piece: Buffer): Promise<void> {
  const end = closed(socket);
  const more = (): void => {
    while (!socket.destroyed && socket.writable && socket.write(piece));
  };
  socket.on('drain', more);
  more();
  await end;
}

async function firstLine(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (piece) => {
    text += piece.toString('latin1');
  });
  await closed(socket);
  return text.split('\r\n')[0] ?? '';
}
