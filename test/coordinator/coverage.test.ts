/** Coverage queries, where the nodes that answer them are lost at the worst moments. */

import t from 'tap';
import { utf8ToByteString, type ByteString } from '../../src/base/bytes.ts';
import { Fault } from '../../src/base/fault.ts';
import { DEFAULT_BUCKET_TYPE, type NodeId } from '../../src/base/names.ts';
import { CoverageCoordinator } from '../../src/coordinator/coverage.ts';
import type { CoordinatorPorts } from '../../src/coordinator/ports.ts';
import type { PeerStreamItem, PeerStreamRequest } from '../../src/peer/messages.ts';
import { Ring } from '../../src/ring/ring.ts';
import { VirtualHost } from '../replica/virtual-host.ts';

const RING_SIZE = 8;
const NODES = ['a', 'b', 'c', 'd'] as NodeId[];
const BUCKET = { type: DEFAULT_BUCKET_TYPE, bucket: utf8ToByteString('b') };
const KEYS = Array.from({ length: 64 }, (_, index) => {
  return utf8ToByteString(`key ${String(index).padStart(2, '0')}`);
});

type Batches = AsyncIterableIterator<PeerStreamItem>;

/** Each key lies in the partition of its number; `breaks` is asked before each key that is sent. */
function coordinatorOf(breaks: (node: NodeId, sentCount: number) => boolean): CoverageCoordinator {
  const ring = new Ring({
    ringSize: RING_SIZE,
    members: NODES.map((id) => ({ id, location: '' })),
    ownerByPartition: Array.from({ length: RING_SIZE }, (_, index) => index % NODES.length),
  });
  async function* stream(node: NodeId, request: PeerStreamRequest): Batches {
    const { partitions } = (request as PeerStreamRequest & { readonly verb: 'list-keys' }).share;
    const held = KEYS.filter((_, index) => partitions.some((each) => each === index % RING_SIZE));
    for (const [sentCount, name] of held.entries()) {
      if (breaks(node, sentCount)) throw new Fault('peer-closed', 'the link broke');
      yield { kind: 'names', names: [name] };
    }
  }
  const ports: Pick<CoordinatorPorts, 'host' | 'self' | 'peer' | 'view'> = {
    host: new VirtualHost(),
    self: NODES[0] as NodeId,
    peer: { request: () => Promise.reject(new Fault('peer-refused', 'streams only')), stream },
    view: {
      ring: () => ring,
      jointRing: () => undefined,
      isUp: () => true,
      livenessVersion: () => 0,
      mayCover: () => true,
      properties: () => undefined,
      isInCoverage: () => true,
    },
  };
  return new CoverageCoordinator(ports);
}

async function listed(coverage: CoverageCoordinator): Promise<ByteString[]> {
  const names: ByteString[] = [];
  for await (const batch of coverage.listKeys(BUCKET, 3, { timeoutMs: 1_000 })) {
    names.push(...batch);
  }
  return names;
}

t.test(
  'a node that is lost before its first answer is replaced where it was to begin',
  async (t) => {
    const lost: NodeId[] = [];
    const names = await listed(
      coordinatorOf((node, sentCount) => {
        // One node in the middle, and the first of those that take its place at once.
        const isNext = lost.length === 0 ? sentCount === 5 : lost.length === 1 && sentCount === 0;
        if (isNext) lost.push(node);
        return lost.includes(node);
      }),
    );
    t.equal(lost.length, 2);
    t.same(names, KEYS);
  },
);

t.test('where too few nodes are left the query ends with a fault', async (t) => {
  await t.rejects(listed(coordinatorOf((_node, sentCount) => sentCount === 5)), {
    code: 'peer-unreachable',
  });
});
