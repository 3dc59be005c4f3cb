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

interface World {
  readonly host?: VirtualHost;
  readonly isUp?: (node: NodeId) => boolean;
  /** Waited for before each key that is sent. */
  readonly pause?: (node: NodeId, sentCount: number) => Promise<void> | undefined;
}

/** Each key lies in the partition of its number; `breaks` is asked before each key that is sent. */
function coordinatorOf(
  breaks: (node: NodeId, sentCount: number) => boolean,
  { host = new VirtualHost(), isUp = () => true, pause = () => undefined }: World = {},
): CoverageCoordinator {
  const ring = new Ring({
    ringSize: RING_SIZE,
    members: NODES.map((id) => ({ id, location: '' })),
    ownerByPartition: Array.from({ length: RING_SIZE }, (_, index) => index % NODES.length),
  });
  async function* stream(node: NodeId, request: PeerStreamRequest): Batches {
    const { partitions } = (request as PeerStreamRequest & { readonly verb: 'list-keys' }).share;
    const after = request.verb === 'index' ? request.query.after?.key : undefined;
    const held = KEYS.filter((key, index) => {
      return key > (after ?? '') && partitions.some((each) => each === index % RING_SIZE);
    });
    for (const [sentCount, name] of held.entries()) {
      await pause(node, sentCount);
      if (breaks(node, sentCount)) throw new Fault('peer-closed', 'the link broke');
      if (after === undefined) yield { kind: 'names', names: [name] };
      else yield { kind: 'index-entries', entries: [[name, name]] };
    }
  }
  const ports: Pick<CoordinatorPorts, 'host' | 'self' | 'peer' | 'view'> = {
    host,
    self: NODES[0] as NodeId,
    peer: { request: () => Promise.reject(new Fault('peer-refused', 'streams only')), stream },
    view: {
      ring: () => ring,
      jointRing: () => undefined,
      isUp,
      livenessVersion: () => 0,
      mayCover: isUp,
      properties: () => undefined,
      isInCoverage: () => true,
    },
  };
  return new CoverageCoordinator(ports);
}

async function listed(
  coverage: CoverageCoordinator,
  { n = 3, timeoutMs = 1_000 } = {},
): Promise<ByteString[]> {
  const names: ByteString[] = [];
  for await (const batch of coverage.listKeys(BUCKET, () => n, { timeoutMs })) {
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
  let askedCount = 0;
  const coverage = coordinatorOf((_node, sentCount) => {
    askedCount += 1;
    return sentCount === 0;
  });
  await t.rejects(listed(coverage), { code: 'peer-unreachable' });
  t.ok(askedCount <= 3 * NODES.length, 'no node is asked for ever');
});

t.test('nodes that are lost one after the other take the places of each other', async (t) => {
  for (const n of [1, 3]) {
    t.same(
      await listed(
        coordinatorOf((_node, sentCount) => sentCount === 5),
        { n },
      ),
      KEYS,
    );
  }
});

t.test('what each node has broken off once while the reader did not read goes on', async (t) => {
  const broken = new Set<NodeId>();
  let hasPaused = false;
  const coverage = coordinatorOf((node) => {
    if (!hasPaused || broken.has(node)) return false;
    broken.add(node);
    return true;
  });
  const query = coverage.listKeys(BUCKET, () => 3, { timeoutMs: 1_000 });
  const first = await query.next();
  hasPaused = true;
  const names = [...(first.value ?? [])];
  for await (const batch of query) names.push(...batch);
  t.equal(broken.size, NODES.length);
  t.same(names, KEYS);
});

/** A world in which the first node but the own that has sent five keys hangs, and is soon judged down. */
function hanging(): World & {
  readonly host: VirtualHost;
  readonly hung: () => NodeId | undefined;
  readonly goOn: () => void;
} {
  const host = new VirtualHost();
  let hung: NodeId | undefined;
  let goOn = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  return {
    host,
    hung: () => hung,
    goOn: () => {
      goOn();
    },
    isUp: (node) => node !== hung || host.clock.monotonicMs() < 3_000,
    pause: (node, sentCount) => {
      if (sentCount === 5 && node !== NODES[0]) hung ??= node;
      return node === hung ? over : undefined;
    },
  };
}

t.test('a node that hangs is left when it is judged down, not when the time is over', async (t) => {
  const world = hanging();
  const names = listed(
    coordinatorOf(() => false, world),
    { timeoutMs: 60_000 },
  );
  let isListed = false;
  void names.then(() => (isListed = true));
  await world.host.advance(2_900);
  t.ok(world.hung(), 'one hangs');
  t.notOk(isListed, 'and is waited for while it counts as up');
  await world.host.advance(3_000);
  t.ok(isListed, 'others have answered for it');
  world.goOn();
  t.same(await names, KEYS);
  t.equal(world.host.timerCount, 0);
});

t.test(
  'a node that hangs and is judged down is waited for where nobody can replace it',
  async (t) => {
    const world = hanging();
    const names = listed(
      coordinatorOf(() => false, world),
      { n: 1, timeoutMs: 60_000 },
    );
    await world.host.advance(20_000);
    t.ok(world.hung(), 'one hangs');
    world.goOn();
    t.same(await names, KEYS);
  },
);

t.test('what comes just when its node is given up is not missed', async (t) => {
  for (let turns = 0; turns < 24; turns += 1) {
    const world = hanging();
    const { clock } = world.host;
    const { after } = clock;
    // The node goes on so many turns before the end of each wait is told.
    const host = Object.assign(world.host, {
      clock: {
        ...clock,
        after: (delayMs: number, run: () => void) =>
          after(delayMs, () => {
            if (clock.monotonicMs() < 3_000) {
              run();
              return;
            }
            world.goOn();
            void passed(turns).then(run);
          }),
      },
    });
    const names = listed(
      coordinatorOf(() => false, { ...world, host }),
      { timeoutMs: 60_000 },
    );
    await host.advance(60_000);
    t.same(await names, KEYS, `${turns} turns`);
  }
});

async function passed(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
}
