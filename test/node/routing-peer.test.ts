/** The peer port of a node, when the node stops. */

import t from 'tap';
import type { NodeId } from '../../src/base/names.ts';
import { failedStream, RoutingPeer } from '../../src/node/routing-peer.ts';
import { Fault } from '../../src/base/fault.ts';
import type { Peer, PeerHandler } from '../../src/peer/peer.ts';
import type { PeerStreamItem } from '../../src/peer/messages.ts';

const SELF = 'n1' as NodeId;
const OTHER = 'n2' as NodeId;
const ASKED = { verb: 'get-state' } as never;
const never = new Promise<never>(() => undefined);

const LOCAL: PeerHandler = {
  handle: async () => ({ kind: 'done' }) as never,
  handleStream: () => failedStream(new Fault('malformed', 'not asked for')),
};

/** The other node is silent. */
function silentPeer(ended: string[]): Peer {
  const stream: AsyncIterableIterator<PeerStreamItem> = {
    [Symbol.asyncIterator]: () => stream,
    next: () => never,
    return: async () => {
      ended.push('stream');
      return { done: true, value: undefined };
    },
  };
  return { request: () => never, stream: () => stream };
}

async function readAll(items: AsyncIterable<PeerStreamItem>): Promise<number> {
  let count = 0;
  for await (const item of items) count += item === undefined ? 0 : 1;
  return count;
}

t.test('who is closed waits for no peer, and asks none more', async (t) => {
  const ended: string[] = [];
  const peer = new RoutingPeer(SELF, LOCAL, silentPeer(ended));
  const stream = (): AsyncIterableIterator<PeerStreamItem> => peer.stream(OTHER, ASKED, 30_000);
  const underWay = [
    t.rejects(peer.request(OTHER, ASKED, 10_000), { code: 'peer-closed' }),
    t.rejects(readAll(stream()), { code: 'peer-closed' }),
  ];
  peer.close();
  await Promise.all(underWay);
  t.same(ended, ['stream'], 'what carries the stream is let go');
  await t.rejects(peer.request(OTHER, ASKED, 10_000), { code: 'peer-closed' });
  await t.rejects(readAll(stream()), { code: 'peer-closed' });
  t.same(await peer.request(SELF, ASKED, 10_000), { kind: 'done' }, 'itself it still asks');
});
