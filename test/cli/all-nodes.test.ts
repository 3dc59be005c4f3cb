/** One question to all nodes: those that do not answer, or are elsewhere, do not hide the others. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import type { NodeStatus } from '../../src/admin/status-commands.ts';
import type { NodeConfig } from '../../src/config/cluster-config.ts';
import { allNodesJson, allNodesText, askAllNodes, seriesOf } from '../../src/cli/all-nodes.ts';
import { ALL_NODES_TABLES } from '../../src/cli/all-nodes-tables.ts';

const METRICS = `# TYPE vertebra_node_ready gauge
vertebra_node_ready 1
vertebra_membership_epoch 9
vertebra_members 3
vertebra_members_up 3
vertebra_peer_clock_offset_seconds{peer="a@h"} -0.75
vertebra_peer_clock_offset_seconds{peer="b@h"} 0.01
vertebra_ring_unsafe_partitions{reason="nodes"} 0
vertebra_ring_unsafe_partitions{reason="down"} 16
vertebra_transfers_stalled 2
vertebra_handoff_hints 5
# EOF
`;

const STATUS: Partial<NodeStatus> = {
  isReady: false,
  epoch: 8,
  members: [
    { id: 'a', isUp: true },
    { id: 'b', isUp: true, clockOffsetMs: 1.25 },
    { id: 'c', isUp: false },
  ] as never,
  unsafePartitions: { nodes: 0, down: 7, locations: 0 },
  transfersStalled: 0,
};

t.test('nodes here are asked, nodes elsewhere are read, and silence is a row', async (t) => {
  const folder = t.testdir({ a: {}, b: {} });
  const server = createServer((_request, response) => response.end(METRICS));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const node = (name: string, httpPort: number): NodeConfig =>
    ({ name, host: '127.0.0.1', httpPort, dataDir: join(folder, name) }) as never;
  const nodes = [node('a', 1), node('b', 1), node('far', port), node('gone', 1)];
  const askOne = ({ name }: NodeConfig): Promise<unknown> =>
    name === 'a' ? Promise.resolve(STATUS) : Promise.reject(new Error('the node is not running'));

  const answers = await askAllNodes(nodes, 'status', askOne);
  const lines = allNodesText('status', answers).split('\n');
  t.match(lines[2], /^a +NO +8 +2 of 3 +±1\.3 ms +7 +0$/);
  t.match(lines[3], /^b +no answer$/);
  t.match(lines[4], /^far +yes +9 +3 of 3 +±750\.0 ms +16 +2$/);
  t.match(lines[5], /^gone +no answer$/);
  t.match(lines.slice(6).join('\n'), /b: the node is not running\ngone: .*ECONNREFUSED|bad port/);
  t.match(JSON.parse(JSON.stringify(allNodesJson(answers))), [
    { node: 'a', answer: { epoch: 8 } },
    { node: 'b', error: String },
    { node: 'far', metrics: { membership_epoch: 9 } },
    { node: 'gone', error: String },
  ]);

  const slow = allNodesText('slowlog', await askAllNodes(nodes.slice(2), 'slowlog', askOne));
  t.match(slow, /far: its data folder is not on this machine/, 'metrics have no slow log');
  t.throws(() => askAllNodes(nodes, 'cluster commit', askOne), /is for one node; --all goes with/);
});

t.test('what nodes say becomes rows, whatever it is', (t) => {
  const rowsOf = (command: string, answer: unknown): readonly (readonly string[])[] =>
    ALL_NODES_TABLES[command]?.rowsOf(answer as never) ?? [];
  const target = { target: 'b', count: 3, isUp: false, retryInMs: 0 };
  const { unsafePartitions: _, transfersStalled: __, ...before } = STATUS;
  t.match(rowsOf('status', before), [['NO', '8', '2 of 3', '±1.3 ms', '?', '?']], 'an older node');
  t.same(rowsOf('hints', { targets: [target] }), [['b', '3', 'down']]);
  t.same(rowsOf('hints', { targets: [] }), [['nobody', '0', '']]);
  t.match(ALL_NODES_TABLES['hints']?.rowsOfSeries?.(seriesOf(METRICS)), [[String, '5']]);
  const none = { perSecond: 0, keys: [] };
  t.same(rowsOf('hotkeys', { reads: none, writes: none }), [['no key stands out']]);
  const key = { type: 'default', bucket: 'p', keyFingerprint: 'ab', perSecond: 2, share: 0.5 };
  t.same(rowsOf('hotkeys', { reads: none, writes: { perSecond: 4, keys: [key] } }), [
    ['writes', '2.0', '50.0 %', 'default / p / #ab'],
  ]);
  const moving = { active: [], keysPerSecond: 1, bytesPerSecond: 2 ** 20, isFilled: true };
  const failure = { code: 'timeout', peer: 'b' };
  t.same(
    rowsOf('transfers', {
      ...moving,
      step: { phase: 'filling' },
      stalled: [{ work: 'step' }],
      lastFailure: failure,
    }),
    [['filling', 'yes', '0', '1', '1.0', 'step', 'timeout with b']],
  );
  t.same(rowsOf('slowlog', { entries: [] }), [['none']]);
  const progress = { folder: '/b', step: 'segments', bytes: 2 ** 20, bytesExpected: 2 ** 22 };
  const running = { state: 'running', tookMs: 1500, progress: { ...progress, sharedBytes: 0 } };
  t.same(rowsOf('backup status', running), [
    ['running', '/b', 'segments, about 25 %', '1.0 MiB', '0.0 MiB', '2'],
  ]);
  const refused = { state: 'failed', tookMs: 1, reason: 'there already', progress: undefined };
  t.same(rowsOf('backup status', refused), [['failed', 'there already']]);
  const slowed = { bytesPerSecond: 4 * 2 ** 20, configured: 32 * 2 ** 20, leftMs: 59_500 };
  t.same(rowsOf('rate show', [{ work: 'transfers', ...slowed }]), [
    ['transfers', '4 MiB/s', '32 MiB/s', '1m'],
  ]);
  const level = { level: 'info', leftMs: undefined };
  const subsystems = [{ subsystem: 'peer', level: 'debug', leftMs: 1_000 }];
  t.same(rowsOf('log show', { ...level, configured: 'info', subsystems }), [
    ['info, as configured but peer: debug for another 1s (configured: info)'],
  ]);
  t.end();
});
