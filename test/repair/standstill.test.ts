/** Work on transfers that comes no nearer to its end is told from work that does, and from waiting. */

import t from 'tap';
import { Fault } from '../../src/base/fault.ts';
import type { NodeId } from '../../src/base/names.ts';
import { Standstills } from '../../src/repair/standstill.ts';
import { TRANSFER_DEFAULTS, Transfers } from '../../src/repair/transfers.ts';
import { objectKey } from '../replica/replica-world.ts';
import { VirtualHost } from '../replica/virtual-host.ts';
import { RepairCluster, type RepairNode } from './repair-cluster.ts';

const [A, B, C, D] = ['a@host', 'b@host', 'c@host', 'd@host'] as [NodeId, NodeId, NodeId, NodeId];
const STALL_MS = 60_000;

t.test('only more than ever before is progress, however busy the tries are', async (t) => {
  const host = new VirtualHost();
  const standstills = new Standstills(host.clock, STALL_MS);
  const up = new Set([A, B]);
  const worksStalled = (): string[] => {
    return standstills.stalled((node) => up.has(node)).map(({ work }) => work);
  };
  const tryUpTo = (trees: number): void => {
    standstills.begin('refill', '', [A, B]);
    for (let done = 1; done <= trees; done += 1) standstills.reached('refill', done);
  };
  for (const trees of [3, 2, 3]) {
    tryUpTo(trees);
    await host.advance(30_000);
  }
  t.same(worksStalled(), ['refill'], 'three trees, again and again');
  up.delete(B);
  t.same(worksStalled(), [], 'it may be waiting for B');
  up.add(B);
  tryUpTo(4);
  t.same(worksStalled(), [], 'one more than before');
  await host.advance(STALL_MS);
  t.same(worksStalled(), ['refill']);
  standstills.moved('refill');
  t.same(worksStalled(), []);
  await host.advance(STALL_MS);
  standstills.begin('refill', 'another', [A]);
  t.same(worksStalled(), [], 'other work');
  await host.advance(STALL_MS);
  standstills.end('refill');
  t.same(worksStalled(), []);
});

t.test('a step that a peer keeps from its end stands still until the peer lets it', async (t) => {
  const cluster = await RepairCluster.open(4, {}, 3);
  const key = objectKey('key');
  const [first, ...others] = cluster.primaries(key) as [RepairNode, ...RepairNode[]];
  const object = await first.write(key, 'value');
  for (const other of others) await other.merge(key, object);
  cluster.openStep([A, B, C, D]);
  cluster.onRequest = (source, _target, { verb }) => {
    if (source === D && verb === 'tree') throw new Fault('peer-refused', 'not for you');
  };
  const options = { ...TRANSFER_DEFAULTS, settleMs: 0, stallMs: STALL_MS };
  const running = cluster.nodes.map((node) => new Transfers(node.ports, options, undefined));
  const [, , , ofD] = running as [Transfers, Transfers, Transfers, Transfers];
  for (const transfers of running) transfers.start();
  await cluster.host.advance(STALL_MS - 1_000);
  t.same(ofD.status().stalled, []);
  await cluster.host.advance(6_000);
  t.match(ofD.status().stalled, [{ work: 'step', forMs: Number }]);
  t.match(ofD.status().lastFailure, { code: 'peer-refused' }, 'and why');
  cluster.node(B).isUp = false;
  t.same(ofD.status().stalled, [], 'a member is down: that is another alarm');
  cluster.node(B).isUp = true;
  cluster.onRequest = () => {};
  for (let turn = 0; turn < 200 && cluster.state.step !== undefined; turn += 1) {
    await cluster.host.advance(250);
  }
  await cluster.host.advance(2 * STALL_MS);
  t.equal(cluster.state.step, undefined);
  t.same(running.map((transfers) => transfers.status().stalled).flat(), []);
  await Promise.all(running.map((transfers) => transfers.stop()));
});
