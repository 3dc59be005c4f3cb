/** Readiness and status of the ring, in Riak's words. */

import t from 'tap';
import { clusterStatus } from '../../src/admin/cluster-status.ts';
import { ringCommands, type RingReport } from '../../src/admin/ring-commands.ts';
import { memberStatusText, ringReadyText, ringStatusText } from '../../src/cli/ring-text.ts';
import { TestCluster } from '../node/cluster-harness.ts';
import { N1, N2, N3 } from '../node/told.ts';

t.test('the ring is ready while all answer and act on one epoch', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 3 });
  await cluster.untilUp(N1, N2, N3);
  const node = cluster.node(N1);
  const report = async (): Promise<RingReport> =>
    (await ringCommands(node, node.operations()).get('ring-status')?.({})) as RingReport;
  t.equal(ringReadyText(await report()), "TRUE All nodes agree on the ring ['n1','n2','n3']");
  t.match(ringStatusText(await report()), /Ring Ready: true\n[^]*No pending changes\.\n[^]*All/);
  t.match(memberStatusText(clusterStatus(node)), 'Valid:3 / Leaving:0');
  cluster.crash(N3);
  await cluster.untilUp(N1, N2);
  const sentence = "FALSE ['n3'] down.  All nodes need to be up to check.";
  t.equal(ringReadyText(await report()), sentence);
  t.match(ringStatusText(await report()), /Ring Ready: false\n[^]*unreachable: \['n3'\]/);
});

t.test('who acts on an older epoch is named', (t) => {
  const readiness = { isReady: false, nodes: [N1, N2], down: [], behind: [N2] };
  t.equal(ringReadyText(readiness), "FALSE ['n2'] do not act on the newest ring yet");
  t.end();
});

t.test('partitions on their way are shown with both owners', (t) => {
  const agreed = { isReady: true, nodes: [N1, N2], down: [], behind: [], epoch: 4 };
  const moves = [{ owner: N1, nextOwner: N2, partitions: [] }];
  const text = ringStatusText({ ...agreed, moves, waitingOn: [N2] });
  t.match(text, /Owner: +n1\nNext Owner: n2\n/);
  t.match(text, "Waiting on: ['n2']");
  t.end();
});
