/** The dialling end of a link: what a peer that misbehaves can do to requests, and what not. */

import t from 'tap';
import type { Test } from 'tap';
import { replyToTuple } from '../../src/peer/wire.ts';
import { encodeFrame } from '../../src/transport/frame.ts';
import { helloToTuple } from '../../src/transport/handshake.ts';
import type { Introduction } from '../../src/transport/handshake.ts';
import { codeOf, handlerOf, ping, pong } from '../peer/peer-compliance.ts';
import { ANSWERER, ASKER, Pair } from './peer-pair.ts';
import { damagedFrame, RawServer } from './raw-link.ts';

type Answer = (ids: readonly number[], send: (frame: Buffer) => void) => void;

/** A pair whose answerer introduces itself, and then does as told. */
async function dialled(
  t: Test,
  answer: Answer,
  introduction: Partial<Introduction> = {},
): Promise<Pair> {
  const pair = new Pair(handlerOf({}), {
    client: { reconnectDelayMaxMs: 60_000 },
    via: () => server.listen(),
  });
  const server = new RawServer((messages, send) => {
    const ids = messages.map((message) => (message as readonly unknown[])[0]);
    if (typeof ids[0] === 'number') answer(ids as number[], send);
    else {
      const hello = { ...pair.answerer.introduction, ...introduction };
      send(encodeFrame([helloToTuple(hello, ASKER)], 100));
    }
  });
  t.teardown(() => {
    pair.close();
    server.close();
  });
  return pair.start();
}

function reply(id: number) {
  return [id, replyToTuple(pong(ping(id)))] as const;
}

t.test('a frame with a wrong checksum breaks the link, and no reply in it counts', async (t) => {
  const pair = await dialled(t, (ids, send) => send(damagedFrame(...ids.map(reply))));
  await pair.isLinked();
  const codes = [1, 2].map((number) => codeOf(pair.peer.request(ANSWERER, ping(number), 5_000)));
  t.same(await Promise.all(codes), ['peer-closed', 'peer-closed']);
  t.equal(pair.asker.counted('peer_frames_malformed'), 1);
  t.match(pair.asker.events('peer.lost'), [{ why: 'a frame is malformed: checksum' }]);
});

t.test('replies to nothing are passed over and counted', async (t) => {
  const pair = await dialled(t, (ids, send) => {
    const replies = ids.flatMap((id) => [reply(id + 1_000), reply(id), reply(id)]);
    send(encodeFrame(replies, 100));
  });
  await pair.isLinked();
  t.equal(await codeOf(pair.peer.request(ANSWERER, ping(1), 5_000)), 'no fault');
  t.equal(await codeOf(pair.peer.request(ANSWERER, ping(2), 5_000)), 'no fault');
  t.equal(pair.asker.counted('peer_replies_unknown'), 4);
  t.ok(pair.peer.isLinked(ANSWERER));
});

t.test('a reply that cannot be read costs its own request only', async (t) => {
  const pair = await dialled(t, (ids, send) => {
    send(encodeFrame([[ids[0] ?? 0, ['nonsense']], reply(ids[1] ?? 0)], 100));
  });
  await pair.isLinked();
  const codes = [1, 2].map((number) => codeOf(pair.peer.request(ANSWERER, ping(number), 5_000)));
  t.same(await Promise.all(codes), ['peer-malformed', 'no fault']);
  t.equal(pair.asker.counted('peer_messages_malformed'), 1);
});

t.test('a fault with a code that is not known here is a fault all the same', async (t) => {
  const pair = await dialled(t, ([id = 0], send) => {
    send(encodeFrame([[id, null, 'no-such-code', 'x']], 100));
  });
  await pair.isLinked();
  t.equal(await codeOf(pair.peer.request(ANSWERER, ping(1), 5_000)), 'peer-malformed');
  t.ok(pair.peer.isLinked(ANSWERER));
});

t.test('who answers under another name than was dialled is refused', async (t) => {
  const pair = await dialled(t, () => {}, { node: 'third@127.0.0.1' as never });
  await pair.until(() => pair.asker.counted('peer_links_refused') === 1);
  t.match(pair.asker.events('peer.refused'), [{ refusal: 'wrong-node' }]);
  t.match(pair.peer.links()[0]?.reason, /third@127.0.0.1 answered/);
});

t.test('requests that time out unsent still count against the window', async (t) => {
  const pair = new Pair(handlerOf({}), {
    client: { windowRequests: 100, windowBytes: 4 * 1024 * 1024 },
    via: () => server.listen(),
  });
  const server = new RawServer((_messages, send) => {
    send(encodeFrame([helloToTuple(pair.answerer.introduction, ASKER)], 100));
    // From here on nothing more is taken.
    for (const call of server.calls) call.pause();
  });
  t.teardown(() => {
    pair.close();
    server.close();
  });
  await pair.start();
  await pair.isLinked();
  const record = Buffer.alloc(200_000);
  const key = { type: 'default', bucket: 'b', key: 'k' };
  const request = { verb: 'merge', key: key as never, record, hintFor: undefined } as const;
  let sent = 0;
  let code = 'timeout';
  while (code === 'timeout' && sent < 2_000) {
    code = await codeOf(pair.peer.request(ANSWERER, request, 5));
    sent += 1;
  }
  t.equal(code, 'overload', `after ${sent} of 200 kB`);
  t.ok(pair.asker.counted('peer_write_stalls') > 0);
});
