/** The cluster commands: Riak's sentences, refusals in one sentence each, and what is shown. */

import t from 'tap';
import { AdminRefusal } from '../../src/admin/admin-server.ts';
import { clusterCommands, type PlannedChanges } from '../../src/admin/cluster-commands.ts';
import type { ClusterReport, PartitionReport } from '../../src/admin/cluster-status.ts';
import type { NodeId } from '../../src/base/names.ts';
import { partitionsText, planText, statusText } from '../../src/cli/cluster-text.ts';
import { TestCluster } from '../node/cluster-harness.ts';

const [N1, N2] = ['n1', 'n2'] as NodeId[] as [NodeId, NodeId];
const JOINER = 'n4@host' as NodeId;

/** Runs a command at a node; its result, or the sentence of its refusal. */
async function run(
  cluster: TestCluster,
  [id, command]: readonly [id: NodeId, command: string],
  options: Record<string, unknown> = {},
): Promise<unknown> {
  const carryOut = clusterCommands(cluster.node(id)).get(`cluster ${command}`);
  if (carryOut === undefined) throw new Error(`no command ${command}`);
  try {
    return await cluster.settle(carryOut(options), 60_000);
  } catch (error) {
    if (error instanceof AdminRefusal) return error.message;
    throw error;
  }
}

t.test('what is staged is said, shown and carried out', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 3 });
  await cluster.startAlone(JOINER);
  t.same(await run(cluster, [JOINER, 'join'], { address: 'n1:9' }), {
    message: "Success: staged join request for 'n4@host' to 'n1:9'",
  });
  t.same(await run(cluster, [N1, 'replace'], { node: N2, successor: JOINER }), {
    message: "Success: staged replacement of 'n2' with 'n4@host'",
  });
  t.same(await run(cluster, [N1, 'location'], { location: 'hall 2' }), {
    message: "Success: staged changing location of node 'n1' to hall 2",
  });
  await cluster.time.until(() => cluster.node(N2).liveMembers().length === 4);
  const shown = (await run(cluster, [N2, 'plan'])) as PlannedChanges;
  const text = planText(shown);
  t.match(text, /replace +'n2' with 'n4@host'/);
  t.notMatch(text, /^join/m, 'who replaces another is not shown as joining too');
  t.match(text, /Valid:3 \/ Leaving:1/);
  t.match(text, 'Live copies of each key with n_val 3: 3 now, 3 at the lowest moment');
  t.match(text, `cluster commit ${shown.plan.hash}`);
  t.match(text, 'Times assume 5.0 MiB/s: no node has filled enough since its start to tell');
  const rate = { bytesPerSecond: 7 * 1024 * 1024, measuredBy: [N1] };
  t.match(planText({ ...shown, rate }), 'Times are at 7.0 MiB/s, as last measured by n1');
  t.match(statusText((await run(cluster, [N1, 'status'])) as ClusterReport), /Staged changes: 3/);
  t.same(await run(cluster, [N1, 'commit'], { hash: shown.plan.hash }), {
    message: 'Cluster changes committed',
  });
  const refusal = await run(cluster, [N1, 'status'], { mustBeSettled: true });
  t.equal(refusal, 'The cluster is not settled: the ring is filling');
  const partitions = (await run(cluster, [JOINER, 'partitions'])) as PartitionReport;
  t.same(partitions.primary, []);
  t.match(partitionsText(partitions), /Pending +\d/);
  t.same(await run(cluster, [N1, 'clear']), { message: 'Cleared staged cluster changes' });
});

t.test('what cannot be is refused in one sentence', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 2 });
  const cases: [command: string, options: Record<string, unknown>, sentence: RegExp][] = [
    ['join', {}, /^the address of a member is needed/],
    ['join', { address: 'n2' }, /^the address of a member is needed/],
    ['join', { address: 'n2:9' }, /^Failed: This node is already a member of a cluster/],
    ['leave', { node: 'x' }, /^Failed: 'x' is not a member of the cluster/],
    ['force-remove', {}, /^the name of a node is needed/],
    ['replace', { node: N2, successor: N1 }, /^Failed: 'n1' is not joining the cluster/],
    ['force-replace', { node: 'x', successor: N1 }, /^Failed: 'x' is not a member/],
    ['down', { node: N2 }, /^Failed: 'n2' is up/],
    ['location', {}, /^a location is needed/],
    ['plan', {}, /^There are no staged changes/],
    ['commit', {}, /^You must verify the plan/],
    ['commit', { hash: '0' }, /^There are no staged changes/],
    ['partitions', { node: 'x' }, /^Failed: 'x' is not a member/],
  ];
  for (const [command, options, sentence] of cases) {
    t.match(await run(cluster, [N1, command], options), sentence, command);
  }
  t.match(await run(cluster, [N1, 'leave']), { message: /staged leave request for 'n1'/ });
  t.match(await run(cluster, [N1, 'leave'], { node: N2 }), { message: /'n2'/ });
  t.match(await run(cluster, [N1, 'plan']), /no node would be left/);
});

t.test('an address may be a name, IPv4 or IPv6', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 1 });
  for (const address of ['host:9', '10.0.0.1:8099', '[::1]:8099']) {
    t.notMatch(await run(cluster, [N1, 'join'], { address }), /address of a member/, address);
  }
  for (const address of ['[::1]', ':9', 'host:', 'host:x', 'host:123456']) {
    t.match(await run(cluster, [N1, 'join'], { address }), /address of a member/, address);
  }
});
