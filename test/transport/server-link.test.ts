/** The server's end of a link: bounded work, clear answers, and no harm from what peers send. */

import fc from 'fast-check';
import t from 'tap';
import type { Test } from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import type { NodeId } from '../../src/base/names.ts';
import type { PeerReply } from '../../src/peer/messages.ts';
import type { PeerHandler } from '../../src/peer/peer.ts';
import { replyToTuple, requestToTuple } from '../../src/peer/wire.ts';
import { encodeFrame } from '../../src/transport/frame.ts';
import { helloToTuple } from '../../src/transport/handshake.ts';
import type { Introduction } from '../../src/transport/handshake.ts';
import type { PeerServerOptions } from '../../src/transport/peer-server.ts';
import {
  codeOf,
  handlerOf,
  KEY,
  LIST_BUCKETS,
  names,
  ping,
  pong,
} from '../peer/peer-compliance.ts';
import { ANSWERER, ASKER, Pair } from './peer-pair.ts';
import { damagedFrame, RawClient } from './raw-link.ts';

const INTRODUCTION = { clusterName: 'test', identity: 'x', incarnation: 1, epoch: 1, release: 'x' };

function hello(node: NodeId = ASKER) {
  return helloToTuple({ ...INTRODUCTION, node } as Introduction, ANSWERER);
}

/** A server alone; nobody dials it but by hand. */
async function serve(
  t: Test,
  handler: PeerHandler,
  server: Partial<PeerServerOptions> = {},
): Promise<Pair> {
  const pair = new Pair(handler, { server });
  t.teardown(() => pair.close());
  await pair.serve();
  return pair;
}

async function introduced(t: Test, pair: Pair): Promise<RawClient> {
  const client = new RawClient(pair.port);
  t.teardown(() => client.close());
  client.send(hello());
  await pair.until(() => client.messages.length === 1);
  client.messages.length = 0;
  return client;
}

/** A handler whose requests are answered when the test says so. */
function controlled() {
  const started: { readonly number: number; readonly answer: (reply?: PeerReply) => void }[] = [];
  const handler = handlerOf({
    handle: (_source, request) =>
      new Promise((resolve) => {
        const number = request.verb === 'ping' ? request.incarnation : -1;
        started.push({ number, answer: (reply = pong(request)) => resolve(reply) });
      }),
  });
  return { started, handler };
}

function request(id: number, timeoutMs = 60_000) {
  return [id, timeoutMs, requestToTuple(ping(id))] as const;
}

function reply(id: number) {
  return [id, replyToTuple(pong(ping(id)))];
}

t.test('a frame with a wrong checksum ends the link with that reason', async (t) => {
  const pair = await serve(t, handlerOf({}));
  const client = await introduced(t, pair);
  client.call.write(damagedFrame(request(1)));
  await pair.until(() => client.ended !== undefined);
  t.equal(client.ended, 'a frame is malformed: checksum');
  t.same(client.messages, []);
  t.match(pair.answerer.events('peer.link_failed'), [
    { peer: ASKER, why: 'a frame is malformed: checksum' },
  ]);
  t.equal(pair.answerer.counted('peer_frames_malformed'), 1);
});

t.test('who does not introduce itself is let go', async (t) => {
  const pair = await serve(t, handlerOf({}), { handshakeTimeoutMs: 50 });
  const mute = new RawClient(pair.port);
  t.teardown(() => mute.close());
  await pair.until(() => mute.ended !== undefined);
  t.equal(mute.ended, 'no introduction in time');
  const rude = new RawClient(pair.port);
  t.teardown(() => rude.close());
  rude.send(request(1));
  await pair.until(() => rude.ended !== undefined);
  t.match(rude.ended, /malformed/);
});

t.test('so many who have not introduced themselves, and no more', async (t) => {
  const pair = await serve(t, handlerOf({}));
  const clients = Array.from({ length: 70 }, () => new RawClient(pair.port));
  t.teardown(() => {
    for (const client of clients) client.close();
  });
  const refused = (): number =>
    clients.filter((client) => client.ended === 'too many new links').length;
  await pair.until(() => refused() === 6);
  t.equal(pair.answerer.counted('peer_links_refused'), 6);
});

t.test('a request that cannot be read is a fault of its own, and hinders no other', async (t) => {
  const pair = await serve(t, handlerOf({}));
  const client = await introduced(t, pair);
  client.send([1, 1_000, ['nonsense']], request(2));
  await pair.until(() => client.messages.length === 2);
  t.match(client.messages, [[1, null, 'peer-malformed', String], reply(2)]);
});

t.test('what fails without a fault is logged, and the peer is told no details', async (t) => {
  const handler = handlerOf({
    handle: (_source, { verb }) => {
      if (verb === 'state') throw new TypeError('at once');
      return Promise.reject(new TypeError('later'));
    },
  });
  const pair = await serve(t, handler);
  const client = await introduced(t, pair);
  client.send(request(1), [2, 1_000, requestToTuple({ verb: 'state', aboveEpoch: 1 as never })]);
  await pair.until(() => client.messages.length === 2);
  const text = 'the peer failed to handle the request';
  t.same(
    new Set(client.messages),
    new Set([
      [1, null, 'peer-closed', text],
      [2, null, 'peer-closed', text],
    ]),
  );
  t.equal(pair.answerer.events('peer.request_failed').length, 2);
});

t.test('so many are worked on, as many wait, one more is refused', async (t) => {
  const { started, handler } = controlled();
  const pair = await serve(t, handler, { concurrency: 2 });
  const client = await introduced(t, pair);
  client.send(request(1), request(2), request(3), request(4), request(5));
  await pair.until(() => client.messages.length === 1);
  t.match(client.messages, [[5, null, 'overload', String]]);
  t.same(
    started.map(({ number }) => number),
    [1, 2],
  );
  started[0]?.answer();
  await pair.until(() => started.length === 3);
  for (const { answer } of started) answer();
  await pair.until(() => started.length === 4);
  started[3]?.answer();
  await pair.until(() => client.messages.length === 5);
  t.same(client.messages.slice(1), [reply(1), reply(2), reply(3), reply(4)]);
});

t.test('whose time is up before its turn or its reply is dropped', async (t) => {
  const { started, handler } = controlled();
  const pair = await serve(t, handler, { concurrency: 2 });
  const client = await introduced(t, pair);
  client.send(request(1, 20), request(2), request(3, 20), request(4));
  await pair.until(() => started.length === 2);
  const { clock } = pair.asker.host;
  const lateMs = clock.monotonicMs() + 30;
  await pair.until(() => clock.monotonicMs() > lateMs);
  started[0]?.answer();
  await pair.until(() => started.length === 3);
  t.equal(started[2]?.number, 4, 'request 3 was never begun');
  started[1]?.answer();
  started[2]?.answer();
  await pair.until(() => client.messages.length === 2);
  t.same(client.messages, [reply(2), reply(4)], 'nobody waits for reply 1');
  t.equal(pair.answerer.counted('peer_served_expired'), 1);
});

t.test('a peer that does not take its replies is not read from any further', async (t) => {
  const record = Buffer.alloc(1024 * 1024);
  let served = 0;
  const handler = handlerOf({
    handle: () => {
      served += 1;
      return Promise.resolve({ kind: 'object', record });
    },
  });
  const pair = await serve(t, handler, { concurrency: 10 });
  const client = await introduced(t, pair);
  client.call.pause();
  const get = requestToTuple({ verb: 'get', key: KEY, headOnly: false });
  for (let id = 0; id < 100; id += 1) client.send([id, 60_000, get]);
  let before = -1;
  await pair.until(() => {
    const isSteady = served > 0 && served === before;
    before = served;
    return isSteady;
  });
  t.ok(served < 60, `${served} of 100 were served before anything was taken`);
  client.call.resume();
  await pair.until(() => client.messages.length === 100);
});

t.test(
  'what a peer does not take of its reads is bounded, and no answer to a write is lost',
  async (t) => {
    const record = Buffer.alloc(1024 * 1024);
    const answers: (() => void)[] = [];
    const handler = handlerOf({
      handle: (_source, { verb }) =>
        new Promise((resolve) => {
          const answer: PeerReply =
            verb === 'update' ? { kind: 'stored', record } : { kind: 'object', record };
          answers.push(() => resolve(verb === 'ping' ? pong(ping(0)) : answer));
        }),
    });
    const pair = await serve(t, handler);
    const client = await introduced(t, pair);
    client.call.pause();
    const get = requestToTuple({ verb: 'get', key: KEY, headOnly: false });
    const operation = { kind: 'gset', adds: [] } as const;
    const update = { key: KEY, operation, returning: 'value' } as const;
    const write = requestToTuple({ verb: 'update', request: update });
    for (let id = 0; id < 200; id += 1) client.send([id, 60_000, get]);
    for (let id = 200; id < 204; id += 1) client.send([id, 60_000, write]);
    client.send([204, 60_000, requestToTuple(ping(0))]);
    // All of them run before one of them has its reply: that its replies are not taken stops none.
    await pair.until(() => answers.length === 205);
    for (const answer of answers) answer();
    await pair.until(() => pair.answerer.counted('peer_write_stalls') > 0);
    client.call.resume();
    await pair.until(() => client.messages.length === 205);
    const replies = client.messages as readonly (readonly unknown[])[];
    const codeById = new Map(replies.map(([id, , code]) => [id, code]));
    const read = Array.from({ length: 200 }, (_, id) => codeById.get(id));
    const given = read.filter((code) => code === undefined).length;
    t.ok(given >= 64 && given <= 66, `${given} of 200 reads of 1 MiB had their object`);
    t.equal(read.filter((code) => code === 'overload').length, 200 - given);
    t.equal(pair.answerer.counted('peer_served_refused'), 200 - given);
    const others = Array.from({ length: 5 }, (_, index) => codeById.get(200 + index));
    t.ok(
      others.every((code) => code === undefined),
      'writes, and what is small',
    );
  },
);

t.test('a new link of a peer takes the place of its old one', async (t) => {
  const pair = await serve(t, handlerOf({}));
  const first = await introduced(t, pair);
  const second = await introduced(t, pair);
  await pair.until(() => first.ended !== undefined);
  second.send(request(1));
  await pair.until(() => second.messages.length === 1);
  t.same(second.messages, [reply(1)]);
});

t.test('whatever is sent, the server lives and serves others', async (t) => {
  const pair = await serve(t, handlerOf({}));
  const frame = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.jsonValue().map((value) => encodeFrame([hello(), value as never], 50)),
    fc.jsonValue().map((value) => encodeFrame([value as never], 50)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 4 }), async (frames) => {
      const client = new RawClient(pair.port);
      client.send(hello());
      for (const each of frames) client.call.write(each);
      client.send(request(1));
      await pair.until(() => client.ended !== undefined || client.messages.length > 1);
      client.close();
    }),
    { numRuns: 40 },
  );
  const client = await introduced(t, pair);
  client.send(request(1));
  await pair.until(() => client.messages.length === 1);
  t.same(client.messages, [reply(1)]);
});

t.test('streams are bounded in number, and one that nobody takes is ended', async (t) => {
  let isEnded = false;
  const large = 'x'.repeat(16_384) as ByteString;
  const handler = handlerOf({
    async *handleStream() {
      try {
        for (;;) yield { kind: 'names', names: [large] };
      } finally {
        isEnded = true;
      }
    },
  });
  const pair = new Pair(handler, { server: { streamsMax: 1, streamStallTimeoutMs: 100 } });
  t.teardown(() => pair.close());
  await pair.start();
  await pair.isLinked();
  const stream = pair.peer.stream(ANSWERER, LIST_BUCKETS, 5_000);
  t.match(await stream.next(), { done: false });
  await t.rejects(pair.peer.stream(ANSWERER, LIST_BUCKETS, 5_000).next(), { code: 'overload' });
  await pair.until(() => isEnded);
  t.equal(pair.answerer.counted('peer_streams_stalled'), 1);
  t.equal(pair.answerer.counted('peer_streams_refused'), 1);
  let taken = 0;
  const takeAll = async (): Promise<void> => {
    for await (const item of stream) taken += item.kind === 'names' ? 1 : 0;
  };
  await t.rejects(takeAll(), { code: 'peer-closed' });
  t.ok(taken > 0, 'what had arrived is not lost');
});

t.test('who is no member any more gets nothing more of its streams', async (t) => {
  let isEnded = false;
  let goOn = (): void => {};
  const paused = new Promise<void>((resolve) => (goOn = resolve));
  const handler = handlerOf({
    async *handleStream() {
      try {
        yield names(1);
        await paused;
        yield names(2);
      } finally {
        isEnded = true;
      }
    },
  });
  const pair = await new Pair(handler).start();
  t.teardown(() => pair.close());
  await pair.isLinked();
  const [stays, goes] = [1, 2].map(() => pair.peer.stream(ANSWERER, LIST_BUCKETS, 60_000));
  t.same(await stays?.next(), { done: false, value: names(1) });
  pair.server.dropStrangers((node) => node === ASKER);
  t.ok(pair.peer.isLinked(ANSWERER));
  t.same(await goes?.next(), { done: false, value: names(1) });
  pair.server.dropStrangers(() => false);
  const rest = [stays, goes].map((stream) => codeOf(stream?.next() ?? Promise.resolve()));
  goOn();
  t.same(await Promise.all(rest), ['peer-closed', 'peer-closed']);
  await pair.until(() => isEnded);
});
