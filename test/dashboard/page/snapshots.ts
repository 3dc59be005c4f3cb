/** Snapshots made up for tests: nodes that are well, but for what a test says. */

import type {
  NodeView,
  Sample,
  SampleValues,
  Snapshot,
} from '../../../src/dashboard/page/snapshot.ts';

export function nodeSaying(node: string, said: Partial<NodeView> = {}): NodeView {
  return {
    node,
    answersBy: 'socket',
    silence: undefined,
    status: 'valid',
    heardBy: 1,
    askedOf: 1,
    location: '',
    release: '0.1.0',
    isReady: true,
    reason: 'serving',
    partitions: 4,
    pendingPartitions: undefined,
    figures: {},
    hints: [],
    transfers: undefined,
    antiEntropy: undefined,
    ...said,
  };
}

export function snapshotOf(nodes: readonly NodeView[], said: Partial<Snapshot> = {}): Snapshot {
  return {
    atMs: 1_000_000,
    tookMs: 20,
    cluster: {
      name: 'c',
      epoch: 3,
      ringSize: 8,
      toldBy: nodes[0]?.node ?? '',
      stagedCount: 0,
      step: undefined,
    },
    ring: undefined,
    nodes,
    alerts: [],
    refusals: [],
    hotKeys: undefined,
    slowLog: undefined,
    showsKeys: false,
    ...said,
  };
}

const NOTHING: SampleValues = {
  reads: null,
  writes: null,
  readP99: null,
  writeP99: null,
  loopDelay: null,
  memory: null,
  diskFree: null,
  hints: null,
};

export function sampleOf(
  atMs: number,
  values: Readonly<Record<string, Partial<SampleValues>>>,
): Sample {
  const nodes = Object.entries(values).map(([node, each]) => [node, { ...NOTHING, ...each }]);
  return { atMs, nodes: Object.fromEntries(nodes) as Sample['nodes'] };
}
