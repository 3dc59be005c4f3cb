/** Readiness and status of the ring, in Riak's words. */

import t from 'tap';
import { clusterStatus, type PeerReport } from '../../src/admin/cluster-status.ts';
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
  const readiness = {
    isReady: false,
    nodes: [N1, N2],
    down: [],
    behind: [N2],
    unreadable: undefined,
  };
  t.equal(ringReadyText(readiness), "FALSE ['n2'] do not act on the newest ring yet");
  t.end();
});

t.test('who cannot be linked, or cannot read the newest state, is told why', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 2 });
  await cluster.untilUp(N1, N2);
  const unreadable = 'what n2 acts on cannot be acted on here: it is of format 3';
  const failure = 'n2 speaks protocol 2 to 2, n1 1 to 1';
  const peers: PeerReport[] = [
    { node: N1, release: '0.1.0', protocol: [1, 1], linkFailure: undefined },
    { node: N2, release: '0.2.0', protocol: [1, 2], linkFailure: failure },
  ];
  const operations = { behind: () => [], unreadableState: () => unreadable };
  const commands = ringCommands(cluster.node(N1), operations, () => peers);
  const report = (await commands.get('ring-status')?.({})) as RingReport;
  t.equal(ringReadyText(report), `FALSE ${unreadable}`);
  t.match(ringStatusText(report), `Stays behind: ${unreadable}\n`);
  t.match(ringStatusText(report), `No link to 'n2': ${failure}`);
  const lines = memberStatusText(clusterStatus(cluster.node(N1), peers)).split('\n');
  t.same(lines.slice(-3), [
    "Release 0.1.0 (protocol 1): ['n1']",
    "Release 0.2.0 (protocol 1 to 2): ['n2']",
    `No link to 'n2': ${failure}`,
  ]);
});

t.test('partitions on their way are shown with both owners', (t) => {
  const agreed = {
    isReady: true,
    nodes: [N1, N2],
    down: [],
    behind: [],
    unreadable: undefined,
    epoch: 4,
  };
  const moves = [{ owner: N1, nextOwner: N2, partitions: [] }];
  const text = ringStatusText({ ...agreed, moves, waitingOn: [N2], linkFailures: [] });
  t.match(text, /Owner: +n1\nNext Owner: n2\n/);
  t.match(text, "Waiting on: ['n2']");
  t.end();
});
