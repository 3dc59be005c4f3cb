/** Whatever a client sends ends in an answer or a closed connection, and harms nobody else. */

import fc from 'fast-check';
import t from 'tap';
import { MESSAGE_TYPES } from '../../../src/api/pbc/messages/catalogue.ts';
import { arbitraryMessage } from './messages/arbitrary-message.ts';
import { BareClient, frame, pingOnce, serve, until } from './served.ts';
import type { Fields, MessageInput } from '../../../src/api/pbc/messages/message-type.ts';

const REQUESTS = MESSAGE_TYPES.filter(({ code }) => code !== undefined);

/** A whole request of any kind, with values that make sense to the codec only. */
const arbitraryRequest = fc
  .constantFrom(...REQUESTS)
  .chain((type) =>
    arbitraryMessage(type).map((value) => Buffer.from(frame(type, value as MessageInput<Fields>))),
  );

const arbitraryNoise = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));

/** A frame of any code whose length is right and whose body is noise. */
const arbitraryGarbage = fc.tuple(fc.nat({ max: 255 }), arbitraryNoise).map(([code, body]) => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length + 1);
  head[4] = code;
  return Buffer.concat([head, body]);
});

const arbitraryStream = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: arbitraryRequest },
    { weight: 3, arbitrary: arbitraryGarbage },
    { weight: 1, arbitrary: arbitraryNoise },
  ),
  { maxLength: 12 },
);

t.test('any stream of bytes is answered or closed, and no bug comes of it', async (t) => {
  const { server, port, bugs } = await serve();
  t.teardown(() => server.close());
  await fc.assert(
    fc.asyncProperty(arbitraryStream, fc.nat({ max: 300 }), async (pieces, place) => {
      const client = await BareClient.connect(port);
      const stream = Buffer.concat(pieces);
      client.socket.write(stream.subarray(0, place));
      client.socket.end(stream.subarray(place));
      await client.closed();
      await pingOnce(port);
      return bugs.length === 0;
    }),
    { numRuns: 300 },
  );
});

t.test('connections that are dropped in the middle of anything leave nothing behind', async () => {
  const { server, port, bugs, gauges } = await serve();
  await fc.assert(
    fc.asyncProperty(arbitraryStream, async (pieces) => {
      const client = await BareClient.connect(port);
      client.socket.write(Buffer.concat(pieces), () => client.socket.resetAndDestroy());
      await client.closed();
      await pingOnce(port);
      return bugs.length === 0;
    }),
    { numRuns: 100 },
  );
  await server.close();
  await until(() => gauges.get('pbc_connections') === 0);
});
