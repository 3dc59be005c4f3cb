/**
 * What every `Peer` promises, as one suite: run on gRPC, and on the simulation's network. A caller
 * gives a way to open a peer whose requests end at a given handler; waiting goes through `until`, so
 * that virtual time can be moved on meanwhile.
 */

import type { Test } from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { Fault, isFault } from '../../src/base/fault.ts';
import type { FaultCode } from '../../src/base/fault.ts';
import type { Clock } from '../../src/base/host.ts';
import { sleep } from '../../src/base/host.ts';
import type { Epoch, NodeId } from '../../src/base/names.ts';
import type {
  PeerReply,
  PeerRequest,
  PeerStreamItem,
  PeerStreamRequest,
} from '../../src/peer/messages.ts';
import type { Peer, PeerHandler } from '../../src/peer/peer.ts';

export interface PeerFixture {
  readonly peer: Peer;
  /** The node that asks, and the one whose handler answers. */
  readonly source: NodeId;
  readonly target: NodeId;
  /** A name that `peer` has no link to. */
  readonly absent: NodeId;
  readonly clock: Clock;
  /** Lets the world go on until `work` settles. */
  until<T>(work: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface PeerFactory {
  /** Linked and ready when it resolves; the suite closes it. */
  open(handler: PeerHandler): Promise<PeerFixture>;
}

export const KEY = {
  type: 'default' as ByteString,
  bucket: 'b' as ByteString,
  key: 'k' as ByteString,
};

export const LIST_BUCKETS: PeerStreamRequest = {
  verb: 'list-buckets',
  share: { partitions: [] },
  type: KEY.type,
};

/** A request that carries a number, and the reply that carries it back. */
export function ping(number: number): PeerRequest {
  return { verb: 'ping', epoch: number as Epoch, incarnation: number };
}

export function pong(request: PeerRequest): PeerReply {
  const number = request.verb === 'ping' ? request.incarnation : 0;
  const inCoverage = number % 2 === 0;
  const epoch = number as Epoch;
  const said = { epoch, incarnation: number, inCoverage, isFilled: true, wallMicros: number };
  return { kind: 'pong', ...said };
}

/** A handler of which a test gives only what it needs. */
export function handlerOf(handler: Partial<PeerHandler>): PeerHandler {
  return {
    handle: (_source, request) => Promise.resolve(pong(request)),
    handleStream: () => {
      throw new Error('no stream was expected');
    },
    ...handler,
  };
}

export async function codeOf(work: Promise<unknown>): Promise<FaultCode | 'no fault'> {
  try {
    await work;
    return 'no fault';
  } catch (error) {
    if (isFault(error)) return error.code;
    throw error;
  }
}

/** Waits, in the fixture's time, until `condition` holds. */
export async function eventually(fixture: PeerFixture, condition: () => boolean): Promise<void> {
  const deadlineMs = fixture.clock.monotonicMs() + 10_000;
  while (!condition()) {
    if (fixture.clock.monotonicMs() > deadlineMs) throw new Error('the condition never held');
    await fixture.until(sleep(fixture.clock, 5));
  }
}

export function checkPeerCompliance(t: Test, factory: PeerFactory): void {
  const withPeer: WithPeer = (fact, handler, check) => {
    void t.test(fact, async (t) => {
      const fixture = await factory.open(handlerOf(handler));
      t.teardown(() => fixture.close());
      await check(t, fixture);
    });
  };
  checkRequests(withPeer);
  checkFaults(withPeer);
  checkOrder(t, factory);
  checkStreams(withPeer);
  checkStreamFaults(withPeer);
  checkStreamBrake(t, factory);
}

type WithPeer = (
  fact: string,
  handler: Partial<PeerHandler>,
  check: (t: Test, fixture: PeerFixture) => Promise<void>,
) => void;

function checkRequests(withPeer: WithPeer): void {
  withPeer('each request gets its own reply, many at a time', {}, async (t, fixture) => {
    const { peer, target } = fixture;
    const numbers = Array.from({ length: 500 }, (_, index) => index);
    const replies = await fixture.until(
      Promise.all(numbers.map((number) => peer.request(target, ping(number), 5_000))),
    );
    t.same(
      replies,
      numbers.map((number) => pong(ping(number))),
    );
  });

  withPeer(
    'the handler learns who asks, what, and how much time is left',
    {
      handle: (source, request, timeoutMs) => {
        const text = JSON.stringify([source, request, timeoutMs > 0 && timeoutMs <= 5_000]);
        return Promise.resolve({ kind: 'object', record: Buffer.from(text) });
      },
    },
    async (t, { until, peer, source, target }) => {
      const reply = await until(peer.request(target, ping(7), 5_000));
      const seen = reply.kind === 'object' ? String(reply.record) : '';
      t.same(JSON.parse(seen), [source, ping(7), true]);
    },
  );

  withPeer(
    'a record of many megabytes arrives as it was sent, both ways',
    {
      handle: (_source, request) =>
        Promise.resolve({
          kind: 'object',
          record: request.verb === 'merge' ? request.record : undefined,
        }),
    },
    async (t, { until, peer, target }) => {
      const record = Buffer.alloc(20 * 1024 * 1024);
      for (let index = 0; index < record.length; index += 4_096) record[index] = index / 4_096;
      const request: PeerRequest = { verb: 'merge', key: KEY, record, hintFor: undefined };
      const reply = await until(peer.request(target, request, 30_000));
      t.ok(reply.kind === 'object' && reply.record !== undefined && record.equals(reply.record));
    },
  );
}

function checkFaults(withPeer: WithPeer): void {
  withPeer(
    "the handler's fault comes back with its code, and the next request is served",
    {
      handle: (_source, request) =>
        request.verb === 'ping' && request.incarnation === 1
          ? Promise.reject(new Fault('store-fenced', 'no writes'))
          : Promise.resolve(pong(request)),
    },
    async (t, { until, peer, target }) => {
      t.equal(await until(codeOf(peer.request(target, ping(1), 5_000))), 'store-fenced');
      t.same(await until(peer.request(target, ping(2), 5_000)), pong(ping(2)));
    },
  );

  withPeer('a node without a link is unreachable, at once', {}, async (t, fixture) => {
    const { peer, absent, clock } = fixture;
    const startedMs = clock.monotonicMs();
    t.equal(await fixture.until(codeOf(peer.request(absent, ping(1), 60_000))), 'peer-unreachable');
    const stream = peer.stream(absent, LIST_BUCKETS, 60_000);
    t.equal(await fixture.until(codeOf(stream.next())), 'peer-unreachable');
    t.ok(clock.monotonicMs() - startedMs < 5_000);
  });

  withPeer(
    'a request that is not answered ends with its deadline, and hinders no other',
    {
      handle: (_source, request) =>
        request.verb === 'ping' && request.incarnation === 1
          ? new Promise(() => {})
          : Promise.resolve(pong(request)),
    },
    async (t, { until, peer, target, clock }) => {
      const startedMs = clock.monotonicMs();
      const late = codeOf(peer.request(target, ping(1), 100));
      const later = codeOf(peer.request(target, ping(1), 150));
      t.same(await until(peer.request(target, ping(2), 5_000)), pong(ping(2)));
      t.equal(await until(late), 'timeout');
      t.ok(clock.monotonicMs() - startedMs >= 100);
      t.equal(await until(later), 'timeout');
      t.same(await until(peer.request(target, ping(3), 5_000)), pong(ping(3)));
    },
  );

  withPeer('a request without time left is not carried out', {}, async (t, fixture) => {
    const { peer, target } = fixture;
    t.equal(await fixture.until(codeOf(peer.request(target, ping(1), 0))), 'timeout');
  });
}

function checkOrder(t: Test, factory: PeerFactory): void {
  void t.test('replies may come in any order', async (t) => {
    const answers: (() => void)[] = [];
    const fixture = await factory.open(
      handlerOf({
        handle: (_source, request) =>
          new Promise((resolve) => {
            answers.push(() => resolve(pong(request)));
          }),
      }),
    );
    t.teardown(() => fixture.close());
    const settled: number[] = [];
    const requests = [0, 1, 2, 3].map(async (number) => {
      await fixture.peer.request(fixture.target, ping(number), 5_000);
      settled.push(number);
    });
    await eventually(fixture, () => answers.length === 4);
    for (const index of [2, 0, 3, 1]) {
      answers[index]?.();
      await eventually(fixture, () => settled.includes(index));
    }
    await fixture.until(Promise.all(requests));
    t.same(settled, [2, 0, 3, 1]);
  });
}

export function names(number: number): PeerStreamItem {
  return { kind: 'names', names: [`name ${number}` as ByteString] };
}

async function* numbered(count: number): AsyncGenerator<PeerStreamItem> {
  for (let number = 0; number < count; number += 1) yield names(number);
}

async function collect(
  items: AsyncIterableIterator<PeerStreamItem>,
): Promise<readonly PeerStreamItem[]> {
  const collected: PeerStreamItem[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

function checkStreams(withPeer: WithPeer): void {
  withPeer(
    'a stream gives every item in order, and then ends for good',
    { handleStream: () => numbered(5_000) },
    async (t, { until, peer, target }) => {
      const stream = peer.stream(target, LIST_BUCKETS, 5_000);
      const items = await until(collect(stream));
      t.same(
        items,
        Array.from({ length: 5_000 }, (_, number) => names(number)),
      );
      t.match(await until(stream.next()), { done: true });
    },
  );

  withPeer(
    'the handler of a stream learns who asks and what',
    {
      async *handleStream(source, request) {
        yield { kind: 'names', names: [JSON.stringify([source, request]) as ByteString] };
      },
    },
    async (t, { until, peer, source, target }) => {
      const [item] = await until(collect(peer.stream(target, LIST_BUCKETS, 5_000)));
      const [seen] = item?.kind === 'names' ? item.names : [];
      t.same(JSON.parse(seen ?? ''), [source, LIST_BUCKETS]);
    },
  );

  withPeer(
    'an empty stream ends, and several run side by side',
    { handleStream: (_source, request) => numbered(request.verb === 'heads' ? 0 : 100) },
    async (t, { until, peer, target }) => {
      const heads: PeerStreamRequest = {
        verb: 'heads',
        partition: 0 as never,
        nVal: 3,
        segments: [],
      };
      const streams = [heads, LIST_BUCKETS, LIST_BUCKETS, heads].map((request) =>
        collect(peer.stream(target, request, 5_000)),
      );
      const lengths = (await until(Promise.all(streams))).map((items) => items.length);
      t.same(lengths, [0, 100, 100, 0]);
    },
  );
}

function checkStreamFaults(withPeer: WithPeer): void {
  withPeer(
    "the handler's fault ends the stream after the items before it",
    {
      async *handleStream() {
        yield* numbered(3);
        throw new Fault('store-corrupt', 'a bad block');
      },
    },
    async (t, { until, peer, target }) => {
      const stream = peer.stream(target, LIST_BUCKETS, 5_000);
      for (let number = 0; number < 3; number += 1) {
        t.same(await until(stream.next()), { done: false, value: names(number) });
      }
      t.equal(await until(codeOf(stream.next())), 'store-corrupt');
      t.match(await until(stream.next()), { done: true });
    },
  );

  let wasEnded = false;
  withPeer(
    'a stream that stays silent times out, and the work at the other end is ended',
    {
      handleStream: () => ({
        next: () => new Promise(() => {}),
        return: () => {
          wasEnded = true;
          return Promise.resolve({ done: true, value: undefined });
        },
        [Symbol.asyncIterator]() {
          return this;
        },
      }),
    },
    async (t, fixture) => {
      const stream = fixture.peer.stream(fixture.target, LIST_BUCKETS, 100);
      t.equal(await fixture.until(codeOf(stream.next())), 'timeout');
      await eventually(fixture, () => wasEnded);
      t.match(await fixture.until(stream.next()), { done: true });
    },
  );
}

/** An endless stream of 16 KiB items that counts what it gave, and whether it was ended. */
function endless() {
  const seen = { given: 0, isEnded: false };
  const filler = 'x'.repeat(16 * 1024) as ByteString;
  async function* items(): AsyncGenerator<PeerStreamItem> {
    try {
      for (;;) {
        seen.given += 1;
        yield { kind: 'names', names: [filler] };
      }
    } finally {
      seen.isEnded = true;
    }
  }
  return { seen, items };
}

function checkStreamBrake(t: Test, factory: PeerFactory): void {
  void t.test('a stream is held back by who takes it, and leaving it ends the work', async (t) => {
    const { seen, items } = endless();
    const fixture = await factory.open(handlerOf({ handleStream: () => items() }));
    t.teardown(() => fixture.close());
    const { peer, target } = fixture;
    const stream = peer.stream(target, LIST_BUCKETS, 5_000);
    t.match(await fixture.until(stream.next()), { done: false });
    let given = -1;
    let quietSinceMs = fixture.clock.monotonicMs();
    await eventually(fixture, () => {
      if (seen.given !== given) {
        given = seen.given;
        quietSinceMs = fixture.clock.monotonicMs();
      }
      return fixture.clock.monotonicMs() - quietSinceMs > 200;
    });
    t.ok(seen.given < 2_048, `${seen.given} items of 16 KiB were given for one that was taken`);
    for (let taken = 0; taken < given; taken += 1) await fixture.until(stream.next());
    t.ok(seen.given > given, 'taking lets it go on');
    t.match(await fixture.until(Promise.resolve(stream.return?.())), { done: true });
    await eventually(fixture, () => seen.isEnded);
    t.match(await fixture.until(stream.next()), { done: true });
    t.same(await fixture.until(peer.request(target, ping(1), 5_000)), pong(ping(1)));
  });
}
