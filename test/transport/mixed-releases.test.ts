/** Nodes of this release and of a later one: what they have in common works, and the rest is said. */

import { Client, credentials } from '@grpc/grpc-js';
import t from 'tap';
import type { Test } from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { replyToTuple, requestToTuple } from '../../src/peer/wire.ts';
import { decodeFrame, encodeFrame } from '../../src/transport/frame.ts';
import { helloToTuple } from '../../src/transport/handshake.ts';
import { sameBytes, STREAM_PATH } from '../../src/transport/peer-service.ts';
import { handlerOf, ping, pong } from '../peer/peer-compliance.ts';
import { ANSWERER, ASKER, End, Pair } from './peer-pair.ts';
import { damagedFrame, RawClient, RawServer } from './raw-link.ts';

/** The introduction of a node whose release speaks these protocols, and says one thing more. */
function laterHello(from: number, to: number) {
  const start = { incarnation: 1, mark: 'mark' as ByteString };
  const lineage = { origin: start, starts: [start] };
  const { introduction } = new End(ASKER, { release: '9.0.0', identity: start.mark, lineage });
  return [...helloToTuple(introduction, ANSWERER).with(1, from).with(2, to), 'new'];
}

t.test('a later node is served, but for requests that only its release has', async (t) => {
  const pair = new Pair(handlerOf({}));
  t.teardown(() => pair.close());
  await pair.serve();
  const client = new RawClient(pair.port);
  t.teardown(() => client.close());
  client.send(laterHello(1, 2));
  await pair.until(() => client.messages.length === 1);
  t.match(pair.answerer.gate.lastHello(ASKER), { release: '9.0.0', protocolTo: 2 });
  client.send([1, 60_000, [99, 'new']], [2, 60_000, [...requestToTuple(ping(2)), 'new']]);
  await pair.until(() => client.messages.length === 3);
  t.same(client.messages.slice(1), [
    [1, null, 'peer-unsupported', "the peer's release does not know this request"],
    [2, replyToTuple(pong(ping(2)))],
  ]);
  t.equal(pair.answerer.counted('peer_requests_unsupported'), 1);
  t.equal(pair.answerer.counted('peer_messages_malformed'), 0);

  const bulk = new Client(`127.0.0.1:${pair.port}`, credentials.createInsecure());
  t.teardown(() => bulk.close());
  const question = encodeFrame([laterHello(1, 2), [60_000, [99]]], 100);
  const frames = bulk.makeServerStreamRequest(STREAM_PATH, sameBytes, sameBytes, question);
  for await (const frame of frames) {
    t.match(decodeFrame(frame as Buffer), [[null, 'peer-unsupported', String]]);
  }
});

t.test(
  'a request that is not supported costs itself only, and a later reply is read',
  async (t) => {
    const server = new RawServer((messages, send) => {
      const [[id]] = messages as [[number]];
      if (typeof id === 'string') send(encodeFrame([laterAnswer], 100));
      else if (id === 0) send(encodeFrame([[id, null, 'peer-unsupported', 'unknown']], 100));
      else send(encodeFrame([[id, [...replyToTuple(pong(ping(1))), 'new']]], 100));
    });
    t.teardown(() => server.close());
    const pair = new Pair(handlerOf({}), { via: () => server.listen() });
    t.teardown(() => pair.close());
    const laterAnswer = helloToTuple(pair.answerer.introduction, ASKER).with(2, 2);
    await pair.start();
    await pair.isLinked();
    await t.rejects(pair.peer.request(ANSWERER, ping(1), 60_000), { code: 'peer-unsupported' });
    t.same(await pair.peer.request(ANSWERER, ping(1), 60_000), pong(ping(1)));
    t.match(pair.peer.links(), [{ isOpen: true, hello: { protocolFrom: 1, protocolTo: 2 } }]);
  },
);

t.test('two without a protocol in common say so, and knock seldom', async (t) => {
  const server = new RawServer((_messages, send) => {
    send(encodeFrame([helloToTuple(pair.answerer.introduction, ASKER).with(1, 2).with(2, 2)], 100));
  });
  t.teardown(() => server.close());
  const pair = new Pair(handlerOf({}), { via: () => server.listen() });
  t.teardown(() => pair.close());
  await pair.start();
  await pair.until(() => server.calls.length === 3);
  t.match(pair.peer.links()[0]?.reason, /^answerer@.* speaks protocol 2 to 2, asker@.* 1 to 1$/);
  t.equal(pair.asker.events('peer.refused').length, 1, 'however often it is tried');

  const client = new RawClient((await serving(t)).port);
  t.teardown(() => client.close());
  client.send(laterHello(2, 2));
  await pair.until(() => client.ended !== undefined);
  t.match(client.messages, [['refused', 'protocol-version', /speaks protocol 2 to 2/]]);
});

t.test('who cannot introduce itself is told so each time, and the operator once', async (t) => {
  const pair = await serving(t);
  for (let knock = 1; knock <= 3; knock += 1) {
    const client = new RawClient(pair.port);
    t.teardown(() => client.close());
    // As the builds of before the first release did: without their release.
    client.send(laterHello(1, 1).slice(0, 9));
    await pair.until(() => client.ended !== undefined);
    t.match(client.ended, /an introduction that no release makes/);
  }
  t.equal(pair.answerer.counted('peer_frames_malformed'), 3);
  const [told, ...others] = pair.answerer.events('peer.link_failed');
  t.match(told, { why: /an introduction that no release makes/ });
  t.same(others, [], 'it may knock many times a second, each time from another port');
});

t.test('a link that breaks as soon as it is open is tried again ever later', async (t) => {
  const server = new RawServer((_messages, send) => {
    send(encodeFrame([helloToTuple(pair.answerer.introduction, ASKER)], 100));
    send(damagedFrame([0]));
  });
  t.teardown(() => server.close());
  const pair = new Pair(handlerOf({}), {
    via: () => server.listen(),
    client: { reconnectDelayMaxMs: 400 },
  });
  t.teardown(() => pair.close());
  const begunMs = pair.asker.host.clock.monotonicMs();
  await pair.start();
  await pair.until(() => server.calls.length === 5);
  // Pauses of 20, 40, 80 and 160 ms, or half of that by chance.
  const elapsedMs = pair.asker.host.clock.monotonicMs() - begunMs;
  t.ok(elapsedMs >= 145, `${elapsedMs} ms`);
});

async function serving(test: Test): Promise<Pair> {
  const pair = new Pair(handlerOf({}));
  test.teardown(() => pair.close());
  await pair.serve();
  return pair;
}
