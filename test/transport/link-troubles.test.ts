/** What happens to requests when peers die, lie, hang or are not who they should be. */

import t from 'tap';
import type { Test } from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Start } from '../../src/base/lineage.ts';
import type { NodeId } from '../../src/base/names.ts';
import { MessageTooLarge } from '../../src/peer/peer.ts';
import type { PeerHandler } from '../../src/peer/peer.ts';
import {
  codeOf,
  handlerOf,
  KEY,
  LIST_BUCKETS,
  names,
  ping,
  pong,
} from '../peer/peer-compliance.ts';
import type { Introduction } from '../../src/transport/handshake.ts';
import { ANSWERER, ASKER, Pair } from './peer-pair.ts';
import type { PairOptions } from './peer-pair.ts';
import { Relay } from './relay.ts';

const NEVER = (): Promise<never> => new Promise(() => {});

/** Numbers 0 and up are answered, negative ones never. */
const answering = handlerOf({});
const silent = handlerOf({ handle: NEVER });

async function linked(t: Test, handler: PeerHandler, options: PairOptions = {}): Promise<Pair> {
  const pair = await new Pair(handler, options).start();
  t.teardown(() => pair.close());
  await pair.isLinked();
  return pair;
}

t.test('a peer that dies takes only the requests on it, and is linked again', async (t) => {
  let isSilent = true;
  const handler = handlerOf({
    handle: (_source, request) => (isSilent ? NEVER() : Promise.resolve(pong(request))),
  });
  const pair = await linked(t, handler);
  const codes = [1, 2, 3].map((number) =>
    codeOf(pair.peer.request(ANSWERER, ping(number), 60_000)),
  );
  await pair.until(() => (pair.peer.links()[0]?.inFlightCount ?? 0) === 3);
  await pair.restart({ incarnation: 2 });
  t.same(await Promise.all(codes), ['peer-closed', 'peer-closed', 'peer-closed']);
  isSilent = false;
  await pair.isLinked();
  t.same(await pair.peer.request(ANSWERER, ping(4), 5_000), pong(ping(4)));
  t.equal(pair.asker.events('peer.lost').length, 1);
  t.equal(pair.asker.events('peer.linked').length, 2);
});

t.test('while a peer is away its requests fail at once', async (t) => {
  const pair = await linked(t, answering);
  pair.server.close();
  await pair.until(() => !pair.peer.isLinked(ANSWERER));
  const startedMs = performance.now();
  t.equal(await codeOf(pair.peer.request(ANSWERER, ping(1), 60_000)), 'peer-unreachable');
  t.equal(
    await codeOf(pair.peer.stream(ANSWERER, LIST_BUCKETS, 60_000).next()),
    'peer-unreachable',
  );
  t.ok(performance.now() - startedMs < 1_000);
});

t.test('a stream whose peer dies ends with a fault', async (t) => {
  const handler = handlerOf({
    async *handleStream() {
      yield names(1);
      await NEVER();
    },
  });
  const pair = await linked(t, handler);
  const stream = pair.peer.stream(ANSWERER, LIST_BUCKETS, 60_000);
  t.match(await stream.next(), { done: false });
  const next = codeOf(stream.next());
  pair.server.close();
  t.equal(await next, 'peer-closed');
});

const REFUSALS: readonly (readonly [fact: string, options: PairOptions, refusal: string])[] = [
  ['another cluster', { asker: { clusterName: 'other' } }, 'other-cluster'],
  ['a node of another name', { answerer: { node: 'third@127.0.0.1' as NodeId } }, 'wrong-node'],
  ['a node of our own name', { asker: { node: ANSWERER } }, 'same-name'],
];

for (const [fact, options, refusal] of REFUSALS) {
  t.test(`${fact} is refused, which is logged once however often it is tried`, async (t) => {
    const pair = await new Pair(answering, options).start();
    t.teardown(() => pair.close());
    await pair.until(() => pair.asker.counted('peer_links_refused') >= 3);
    t.equal(await codeOf(pair.peer.request(ANSWERER, ping(1), 1_000)), 'peer-unreachable');
    t.match(pair.asker.events('peer.refused'), [{ refusal }]);
    t.match(pair.answerer.events('peer.refused'), [{ refusal }]);
    t.equal(pair.answerer.events('peer.refused').length, 1);
  });
}

t.test('a stranger is refused until the state names it', async (t) => {
  const pair = new Pair(answering);
  t.teardown(() => pair.close());
  pair.answerer.members = [ANSWERER];
  await pair.start();
  await pair.until(() => pair.asker.counted('peer_links_refused') >= 1);
  t.match(pair.peer.links()[0]?.reason, /asker@127.0.0.1 is no member/);
  pair.answerer.members = [ASKER, ANSWERER];
  await pair.isLinked();
});

t.test('a peer that calls first is called back at once', async (t) => {
  const pair = new Pair(answering, { client: { reconnectDelayMaxMs: 600_000 } });
  t.teardown(() => pair.close());
  await pair.start();
  await pair.isLinked();
  await pair.restart({ incarnation: 2 });
  // The pause is half a minute now: without a call from there it would take that long.
  t.equal(pair.peer.isLinked(ANSWERER), false);
  const hello = {
    ...pair.answerer.introduction,
    protocolFrom: 1,
    protocolTo: 1,
    dialled: ASKER,
  };
  t.equal(pair.asker.gate.admit(hello), undefined);
  await pair.isLinked();
});

t.test('who is called says whether it knew a start that the caller comes from', async (t) => {
  const starts = ['one', 'two', 'three'].map((text, index) => {
    return { incarnation: index + 1, mark: text as ByteString };
  });
  const [first, second, third] = starts as [Start, Start, Start];
  const introductionOf = (...own: readonly Start[]): Partial<Introduction> => {
    const { incarnation, mark } = own.at(-1) ?? first;
    return { incarnation, identity: mark, lineage: { origin: first, starts: own } };
  };
  const vouched: boolean[] = [];
  const told: unknown[] = [];
  const pair = new Pair(answering, {
    answerer: introductionOf(first),
    asker: introductionOf(first, second, third),
    client: {
      linkChanged: (_, isOpen, isVouching) => {
        if (isOpen) vouched.push(isVouching);
      },
      calledOutdated: (peer, remembered) => told.push([peer, remembered.incarnation]),
    },
  });
  t.teardown(() => pair.close());
  pair.answerer.recall = () => ({ ...second, origin: first, isLast: true });
  await pair.start();
  await pair.isLinked();
  pair.redial();
  await pair.until(() => vouched.length === 2);
  t.same(vouched, [true, true], 'the same start, called twice');
  const twin = { ...third, mark: 'twin' as ByteString };
  pair.asker.introduction = { ...pair.asker.introduction, ...introductionOf(first, second, twin) };
  pair.redial();
  await pair.until(() => told.length > 0);
  t.same(told[0], [ANSWERER, 3]);
  t.match(pair.peer.links()[0]?.reason, /comes from a copy of its disk that is older than start 3/);
  t.equal(vouched.length, 2);
});

t.test('who refuses a peer is told nothing of itself by that', async (t) => {
  const [first, second] = ['one', 'two'].map((text, index) => {
    return { incarnation: index + 1, mark: text as ByteString };
  }) as [Start, Start];
  const told: unknown[] = [];
  const pair = new Pair(answering, {
    // Its disk was put back: the asker remembers a start that followed this one.
    answerer: {
      incarnation: 1,
      identity: first.mark,
      lineage: { origin: first, starts: [first] },
    },
    client: {
      calledOutdated: (...outdated) => told.push(outdated),
      calledStranger: (stranger) => told.push(stranger),
    },
  });
  t.teardown(() => pair.close());
  pair.asker.recall = () => ({ ...second, origin: first, isLast: true });
  await pair.start();
  await pair.until(() => pair.asker.counted('peer_links_refused') > 0);
  await pair.until(() => pair.peer.links()[0]?.reason !== undefined);
  t.match(pair.peer.links()[0]?.reason, /answerer.* comes from a copy of its disk/);
  t.same(told, []);
});

t.test('a link with an earlier incarnation is given up when a later one calls', async (t) => {
  const pair = await linked(t, silent);
  const code = codeOf(pair.peer.request(ANSWERER, ping(1), 60_000));
  const hello = {
    ...pair.answerer.introduction,
    incarnation: 2,
    protocolFrom: 1,
    protocolTo: 1,
    dialled: ASKER,
  };
  t.equal(pair.asker.gate.admit(hello), undefined);
  t.equal(await code, 'peer-closed');
  // What listens there is the earlier one still: it is refused from now on.
  await pair.until(() => pair.asker.counted('peer_links_refused') >= 1);
  t.equal(pair.peer.isLinked(ANSWERER), false);
});

t.test('past the window of requests the caller hears of overload at once', async (t) => {
  const pair = await linked(t, silent, { client: { windowRequests: 10 } });
  const waiting = Array.from({ length: 10 }, () =>
    codeOf(pair.peer.request(ANSWERER, ping(1), 300)),
  );
  t.equal(await codeOf(pair.peer.request(ANSWERER, ping(1), 60_000)), 'overload');
  t.match(pair.peer.links()[0], { inFlightCount: 10, isOpen: true });
  t.same(new Set(await Promise.all(waiting)), new Set(['timeout']));
  t.match(pair.peer.links()[0], { inFlightCount: 0, inFlightBytes: 0 });
  t.equal(await codeOf(pair.peer.request(ANSWERER, ping(1), 10)), 'timeout', 'there is room again');
  t.equal(pair.asker.counted('peer_requests_timed_out'), 11);
  t.equal(pair.asker.counted('peer_requests_refused'), 1);
});

t.test('past the window of bytes too, but one large request alone is let through', async (t) => {
  const pair = await linked(t, answering, { client: { windowBytes: 100_000 } });
  const large = (): Promise<unknown> =>
    pair.peer.request(
      ANSWERER,
      { verb: 'merge', key: KEY, record: Buffer.alloc(200_000), hintFor: undefined },
      5_000,
    );
  const first = codeOf(large());
  t.equal(await codeOf(large()), 'overload');
  t.equal(await first, 'no fault');
  t.equal(await codeOf(large()), 'no fault');
});

t.test('a message that no frame could hold is refused by itself', async (t) => {
  const record = Buffer.alloc(125 * 1024 * 1024);
  const pair = await linked(
    t,
    handlerOf({
      handle: (_source, request) =>
        Promise.resolve(request.verb === 'get' ? { kind: 'object', record } : pong(request)),
      async *handleStream() {
        yield { kind: 'heads', heads: [{ key: KEY, head: record }] };
      },
    }),
  );
  const next = pair.peer.request(ANSWERER, ping(1), 5_000);
  const merge = { verb: 'merge', key: KEY, record, hintFor: undefined } as const;
  const get = { verb: 'get', key: KEY, headOnly: false } as const;
  t.equal(await codeOf(pair.peer.request(ANSWERER, merge, 5_000)), 'malformed');
  t.equal(await codeOf(pair.peer.request(ANSWERER, get, 5_000)), 'malformed');
  t.equal(await codeOf(pair.peer.stream(ANSWERER, LIST_BUCKETS, 5_000).next()), 'malformed');
  t.same(await next, pong(ping(1)));
  t.ok(pair.peer.isLinked(ANSWERER));
});

t.test('names of bytes that are no ASCII count as the frame has them', async (t) => {
  // 70 MiB here, and twice that in a frame.
  const names = ['\xe9'.repeat(70 * 1024 * 1024) as ByteString];
  const handler = handlerOf({
    async *handleStream() {
      yield { kind: 'names', names };
    },
  });
  const pair = await linked(t, handler);
  const operation = { kind: 'gset', adds: names } as const;
  const request = { key: KEY, operation, returning: 'nothing' } as const;
  const next = pair.peer.request(ANSWERER, ping(1), 60_000);
  const update = pair.peer.request(ANSWERER, { verb: 'update', request }, 60_000);
  const fault: unknown = await update.catch((error: unknown) => error);
  t.ok(fault instanceof MessageTooLarge, 'so its asker knows that it was not sent');
  t.match(fault, { code: 'malformed' });
  t.equal(await codeOf(pair.peer.stream(ANSWERER, LIST_BUCKETS, 60_000).next()), 'malformed');
  t.same(await next, pong(ping(1)));
  t.equal(pair.asker.counted('peer_links_lost'), 0);
});

t.test('a connection that has gone silent is noticed, and its requests are given up', async (t) => {
  const relay = new Relay();
  t.teardown(() => relay.close());
  const pair = await linked(t, answering, {
    client: { keepaliveMs: 200 },
    via: (port) => relay.open(port),
  });
  relay.freeze();
  t.equal(await codeOf(pair.peer.request(ANSWERER, ping(1), 60_000)), 'peer-closed');
});

t.test(
  'streams that find no connection beside the link find one as soon as there is',
  async (t) => {
    const relay = new Relay();
    t.teardown(() => relay.close());
    const handler = handlerOf({
      async *handleStream() {
        yield names(1);
      },
    });
    const pair = await linked(t, handler, { via: (port) => relay.open(port) });
    let isListed = false;
    const list = (): void => {
      const listing = pair.peer.stream(ANSWERER, LIST_BUCKETS, 5_000).next();
      listing.then(
        () => (isListed = true),
        () => {},
      );
    };
    relay.refuse(true);
    // With pauses that only grow that many tries would take half a minute, and the next one as long again.
    await pair.until(() => {
      list();
      return relay.refused >= 20;
    });
    t.equal(isListed, false);
    relay.refuse(false);
    await pair.until(() => {
      list();
      return isListed;
    });
    t.equal(pair.asker.counted('peer_links_lost'), 0, 'the link has stayed');
  },
);

t.test('who accepts a connection and never says a word is given up', async (t) => {
  const mute = new Relay();
  const pair = await new Pair(answering, {
    client: { handshakeTimeoutMs: 100 },
    via: () => mute.open(),
  }).start();
  t.teardown(() => {
    pair.close();
    mute.close();
  });
  await pair.until(() => pair.peer.links()[0]?.reason === 'no introduction in time');
  t.equal(await codeOf(pair.peer.request(ANSWERER, ping(1), 60_000)), 'peer-unreachable');
});

t.test('peers that leave the state are let go, and those that stay are not touched', async (t) => {
  const changes: [NodeId, boolean][] = [];
  const pair = await linked(t, silent, {
    client: { linkChanged: (node, isOpen) => changes.push([node, isOpen]) },
  });
  const code = codeOf(pair.peer.request(ANSWERER, ping(1), 60_000));
  pair.peer.setPeers(new Map([[ANSWERER, { host: '127.0.0.1', port: pair.port }]]));
  t.ok(pair.peer.isLinked(ANSWERER));
  pair.peer.setPeers(new Map());
  t.equal(await code, 'peer-closed');
  t.same(pair.peer.links(), []);
  t.same(changes, [
    [ANSWERER, true],
    [ANSWERER, false],
  ]);
  t.equal(pair.asker.counted('peer_links_lost'), 0, 'it was let go, and not lost');
  t.same(pair.asker.events('peer.lost'), []);
  t.match(pair.asker.events('peer.unlinked'), [{ level: 'info', peer: ANSWERER }]);
});

t.test('closing ends everything, and may be done again', async (t) => {
  const handler = handlerOf({ handle: NEVER, handleStream: () => hanging() });
  const pair = await linked(t, handler);
  const request = codeOf(pair.peer.request(ANSWERER, ping(1), 60_000));
  const stream = codeOf(pair.peer.stream(ANSWERER, LIST_BUCKETS, 60_000).next());
  pair.peer.close();
  pair.peer.close();
  t.equal(await request, 'peer-closed');
  t.equal(await stream, 'closed');
  t.equal(await codeOf(pair.peer.request(ANSWERER, ping(1), 60_000)), 'peer-unreachable');
});

async function* hanging(): AsyncGenerator<never> {
  yield await NEVER();
}
