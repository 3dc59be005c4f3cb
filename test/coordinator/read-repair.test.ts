/** What read repair has on its way counts until all of it has ended. */

import t from 'tap';
import { Fault } from '../../src/base/fault.ts';
import type { NodeId } from '../../src/base/names.ts';
import type { Participant } from '../../src/coordinator/participants.ts';
import type { CoordinatorPorts } from '../../src/coordinator/ports.ts';
import { ReadRepair } from '../../src/coordinator/read-repair.ts';
import { ReadReplies } from '../../src/coordinator/read-replies.ts';
import type { PeerReply } from '../../src/peer/messages.ts';
import {
  objectKey,
  openWorld,
  partitionFor,
  record,
  write,
  content,
} from '../replica/replica-world.ts';
import { VirtualHost } from '../replica/virtual-host.ts';

const [A, B, C] = ['a', 'b', 'c'] as string[] as [NodeId, NodeId, NodeId];
const KEY = objectKey('k');

function primary(node: NodeId): Participant {
  return { node, positionCount: 1, primaryCount: 1, hintTargets: [] };
}

t.test(
  'a repair counts until its slowest merge has ended, though another has failed',
  async (t) => {
    const host = new VirtualHost();
    const { replica } = await openWorld();
    const bytes = record(await write(replica, KEY, { content: content('v') }));
    const replies = new ReadReplies([A, B, C].map(primary));
    const [stale, silent, whole] = replies.slots as [never, never, never];
    replies.accept(stale, undefined);
    replies.accept(silent, undefined);
    replies.expectObject(whole);
    replies.accept(whole, bytes);

    const slow: ((reply: PeerReply) => void)[] = [];
    const peer = {
      request: (node: NodeId): Promise<PeerReply> =>
        node === B
          ? new Promise((resolve) => slow.push(resolve))
          : Promise.reject(new Fault('overload', 'too much to do')),
    };
    const lists = { jointLists: () => undefined };
    const ports = { host, peer, lists } as unknown as CoordinatorPorts;
    const repair = new ReadRepair(ports, {
      inFlightMax: 1,
      inFlightBytesMax: 1_000,
      timeoutMs: 100,
    });
    const place = { request: { key: KEY }, partition: partitionFor(KEY), required: { n: 3 } };
    const skipped = (): number => host.counters.get('skipped_read_repairs') ?? 0;
    repair.consider(place, replies);
    await host.advance(0);
    repair.consider(place, replies);
    t.equal(skipped(), 1);
    slow[0]?.({ kind: 'done' });
    await host.advance(0);
    t.equal(host.counters.get('read_repairs_failed_total'), 1);
    repair.consider(place, replies);
    t.equal(skipped(), 1);
  },
);
