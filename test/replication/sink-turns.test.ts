/** How the workers of a sink share the nodes of its source. */

import t from 'tap';
import type { NodeId } from '../../src/base/names.ts';
import { Fault } from '../../src/base/fault.ts';
import { sleep } from '../../src/base/host.ts';
import type { Dialler } from '../../src/replication/dialler.ts';
import type { ReplicationNode } from '../../src/replication/ports.ts';
import { Sink } from '../../src/replication/sink.ts';
import { VirtualHost } from '../replica/virtual-host.ts';

const TIMEOUT_MS = 30_000;
const EMPTY = { queue_empty: true };

const never = (): Promise<never> => Promise.reject(new Fault('malformed', 'not asked for'));

t.test('a node that holds connections and says nothing has one worker at a time', async (t) => {
  const host = new VirtualHost();
  let isFrozen = true;
  let waiting = 0;
  let waitingMax = 0;
  let answered = 0;
  const fromFrozen = async (): Promise<never> => {
    waiting += 1;
    waitingMax = Math.max(waitingMax, waiting);
    await sleep(host.clock, isFrozen ? TIMEOUT_MS : 0);
    waiting -= 1;
    if (isFrozen) throw new Fault('timeout', 'no answer in time');
    return EMPTY as never;
  };
  const fromWell = async (): Promise<never> => {
    answered += 1;
    return EMPTY as never;
  };
  const dialler: Pick<Dialler, 'pinned'> = {
    pinned: ({ address }) => ({
      isClosed: false,
      call: address.host === 'frozen' ? fromFrozen : fromWell,
      close: () => undefined,
    }),
  };
  const node: ReplicationNode = {
    id: 'n1' as NodeId,
    liveMembers: () => ['n1' as NodeId],
    isMember: () => true,
    absorb: never,
    fold: never,
  };
  const sink = new Sink(
    { host, node, dialler: { ...dialler, pooled: never as never } },
    {
      name: 's',
      queue: 'q',
      nodes: [
        { host: 'frozen', port: 1 },
        { host: 'well', port: 1 },
      ],
      credentials: undefined,
      workers: 4,
      fullSyncMs: 0,
    },
  );
  sink.start((error) => {
    throw error;
  });
  // Nobody knows of it until the first of them has waited in vain.
  await host.advance(TIMEOUT_MS + 100);
  t.match(sink.status().nodes, [{ trouble: 'no answer in time' }, { trouble: undefined }]);
  waitingMax = 0;
  const unasked: number[] = [];
  for (let seconds = 0; seconds < 300; seconds += 2) {
    answered = 0;
    await host.advance(2_000);
    if (answered === 0) unasked.push(seconds);
  }
  t.same(unasked, [], 'the other node is asked all the time');
  t.equal(waitingMax, 1);
  isFrozen = false;
  await host.advance(2 * TIMEOUT_MS);
  t.match(sink.status().nodes, [{ trouble: undefined }, { trouble: undefined }]);
  const stopped = sink.stop();
  await host.advance(10_000);
  await stopped;
});
