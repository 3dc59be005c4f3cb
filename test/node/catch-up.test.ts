/** A request about a bucket type that is unknown here: its asker knows it. */

import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import type { NodeId } from '../../src/base/names.ts';
import type { StateKeeper } from '../../src/membership/state-keeper.ts';
import { CatchUp } from '../../src/node/catch-up.ts';
import { PeerRequests, type PeerRequestsPorts } from '../../src/node/peer-requests.ts';
import { placementOf } from '../replica/replica-world.ts';
import { VirtualHost } from '../replica/virtual-host.ts';
import { N1, N2 } from './told.ts';

const KEY = { type: 't' as ByteString, bucket: 'b' as ByteString, key: 'k' as ByteString };

t.test('the asker is asked, also while somebody else is who does not answer', async (t) => {
  const host = new VirtualHost();
  const asked: NodeId[] = [];
  let isKnown = false;
  const keeper = {
    fetchFrom: async (node: NodeId): Promise<void> => {
      asked.push(node);
      if (node === N1) isKnown = true;
      else await new Promise<void>((resolve) => host.clock.after(2_000, resolve));
    },
  };
  const catchUp = new CatchUp(keeper as unknown as StateKeeper);
  const merged: string[] = [];
  const requests = new PeerRequests({
    host,
    catchUp,
    tracer: undefined,
    topology: { place: () => (isKnown ? placementOf(KEY) : undefined) },
    replica: {
      merge: ({ key }: typeof KEY) => {
        merged.push(key);
        return Promise.resolve();
      },
    },
  } as unknown as PeerRequestsPorts);
  const silent = catchUp.fetchFrom(N2);
  const record = Buffer.from('a record');
  const merge = { verb: 'merge', key: KEY, record, hintFor: undefined } as const;
  const replies = [requests.handle(N1, merge, 10_000), requests.handle(N1, merge, 10_000)];
  await host.advance(2_000);
  await silent;
  t.same(await Promise.all(replies), [{ kind: 'done' }, { kind: 'done' }]);
  t.same(merged, ['k', 'k']);
  t.same(asked, [N2, N1], 'once');
});
