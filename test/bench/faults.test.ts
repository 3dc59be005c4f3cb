/** Faults of a run, and that a run outlives them. */

import t from 'tap';
import { FaultTimeline, requireFaultsPossible } from '../../bench/load/faults.ts';
import type { FaultMeans } from '../../bench/load/faults.ts';
import type { FaultEvent } from '../../bench/workload/workload.ts';
import type { ChildNode } from '../../src/cli/child-node.ts';
import { DevCluster } from '../../src/cli/dev-cluster.ts';
import { until } from '../api/pbc/served.ts';

/** Of nodes that are killed, and started again in vain. */
class FrailCluster extends DevCluster {
  constructor() {
    const place = { host: '127.0.0.1', httpPort: 1, pbcPort: 2, peerPort: 3, dataFolder: '' };
    super({ configPath: '', entryPoint: '', nodes: [{ name: 'n1', ...place }] });
  }

  override mustChild(): ChildNode {
    return { kill: () => undefined } as unknown as ChildNode;
  }

  override launch(): ChildNode {
    const ready = () => Promise.reject(new Error('n1 stopped (code 1)'));
    return { ready } as unknown as ChildNode;
  }
}

t.test('a node that does not come back is a mark, and not the end of the run', async (t) => {
  const marks: string[] = [];
  const faults = new FaultTimeline({ cluster: new FrailCluster() }, (label) => marks.push(label));
  const event = { action: 'kill', node: 1, atMs: 0 } as const;
  faults.begin([{ ...event, forMs: 3_600_000 }]);
  await until(() => marks.length === 1);
  // The phase is over before its time.
  await faults.end();
  t.same(marks, ['kill n1', 'n1 did not come back']);
  faults.begin([{ ...event, forMs: 1 }]);
  await until(() => marks.length === 4);
  t.same(marks.slice(2), ['kill n1', 'n1 did not come back']);
  await faults.close();
});

t.test(
  'links between sites are cut for their time, or until the phase ends, and not without sites',
  async (t) => {
    const cut = { action: 'cut', node: 1, atMs: 0, forMs: 1 } as const;
    const none = { cluster: undefined };
    t.throws(() => requireFaultsPossible([cut], none), { code: 'config', message: /two sites/ });
    const done: string[] = [];
    const links = { cut: () => done.push('cut'), mend: () => done.push('mend') };
    requireFaultsPossible([cut], { ...none, links });
    const faults = new FaultTimeline({ ...none, links }, (label) => done.push(label));
    faults.begin([cut]);
    await until(() => done.length === 4);
    faults.begin([{ ...cut, forMs: 3_600_000 }]);
    await until(() => done.length === 6);
    await faults.end();
    const once = [
      'the links between the sites are cut',
      'cut',
      'mend',
      'the links between the sites are back',
    ];
    t.same(done, [...once, ...once]);
    await faults.close();
  },
);

t.test("an operator's command that fails is a mark of its own", async (t) => {
  const marks: string[] = [];
  const faults = new FaultTimeline({ cluster: undefined }, (label) => marks.push(label));
  const event = { action: 'command', node: 1, atMs: 0, forMs: 0 } as const;
  faults.begin([{ ...event, command: 'exit 3' }]);
  await until(() => marks.length === 2);
  t.same(marks, ['exit 3', 'exit 3: it ended with code 3']);
  faults.begin([{ ...event, command: 'kill -9 $$' }]);
  await until(() => marks.length === 4);
  t.equal(marks[3], 'kill -9 $$: it ended with SIGKILL');
  faults.begin([{ ...event, command: 'true' }]);
  await until(() => marks.length === 5);
  await faults.close();
  t.equal(marks[4], 'true');
});

/** Notes what it is asked to do, and does nothing. */
function notedMeans(done: string[]): FaultMeans {
  return {
    newcomer: (node) => `n${node}`,
    join: async (node, _signal, onMark) => {
      if (node === 3) throw new Error('a join is under way already');
      onMark(`n${node} has joined`);
    },
    setApart: (node, isApart) => done.push(`apart ${node} ${isApart}`),
    setFull: (node, isFull) => {
      if (isFull) throw new Error('no such disk');
      done.push('room');
    },
    setDiskRate: (node, rate) => done.push(`rate ${node} ${rate}`),
  };
}

t.test(
  'what is done to links and disks is undone after its time, or when the phase ends',
  async (t) => {
    const told: string[] = [];
    const marks: string[] = [];
    const cluster = new FrailCluster();
    const means = notedMeans(told);
    const faults = new FaultTimeline({ cluster, means }, (label) => marks.push(label));
    const event = { node: 1, atMs: 0, forMs: 1 } as const;
    faults.begin([{ ...event, action: 'partition' }]);
    await until(() => marks.length === 2);
    t.same(marks, ['n1 is cut off from the others', 'n1 reaches the others again']);
    t.same(told.splice(0), ['apart 1 true', 'apart 1 false']);
    faults.begin([{ ...event, action: 'slow_disk', forMs: 3_600_000, diskRate: 65_536 }]);
    await until(() => marks.length === 3);
    await faults.end();
    t.same(marks.slice(2), [
      'the disk of n1 takes 64 KiB/s',
      'the disk of n1 is as fast as before',
    ]);
    t.same(told.splice(0), ['rate 1 65536', 'rate 1 undefined']);
    faults.begin([{ ...event, action: 'full_disk' }]);
    await until(() => marks.length === 6);
    await faults.close();
    const failed = 'the disk of n1 is full: it could not be done: no such disk';
    t.same(marks.slice(4), ['the disk of n1 is full', failed], 'what was not done is not undone');
    t.same(told, []);
  },
);

t.test('a node that joins is told of, and so is one that may not', async (t) => {
  const marks: string[] = [];
  const place = { cluster: new FrailCluster(), means: notedMeans([]) };
  const faults = new FaultTimeline(place, (label) => marks.push(label));
  const event = { action: 'join', atMs: 0, forMs: 0 } as const;
  faults.begin([{ ...event, node: 2 }]);
  await until(() => marks.length === 2);
  faults.begin([{ ...event, node: 3 }]);
  await until(() => marks.length === 4);
  await faults.close();
  const refused = 'n3 does not join: a join is under way already';
  t.same(marks, ['join n2', 'n2 has joined', 'join n3', refused]);
});

t.test('what cannot be done to the nodes there are is refused before the run', async (t) => {
  const cluster = new FrailCluster();
  const means = notedMeans([]);
  const refused: readonly (readonly [
    event: Pick<FaultEvent, 'action' | 'node'>,
    message: RegExp,
  ])[] = [
    [{ action: 'join', node: 1 }, /join of node 1: it is there .*; the first that can join is 2$/],
    [{ action: 'partition', node: 2 }, /partition of node 2 needs --start 2 or more, not 1$/],
    [{ action: 'full_disk', node: 2 }, /full_disk of node 2 needs --start 2 or more, not 1$/],
    [{ action: 'slow_disk', node: 3 }, /slow_disk of node 3 needs --start 3 or more, not 1$/],
  ];
  for (const [event, message] of refused) {
    const events = [{ ...event, atMs: 0, forMs: 0 }];
    t.throws(() => requireFaultsPossible(events, { cluster, means }), { code: 'config', message });
    const own = /needs nodes that the run has started \(--start\)$/;
    for (const place of [{ cluster: undefined }, { cluster }]) {
      t.throws(() => requireFaultsPossible(events, place), { code: 'config', message: own });
    }
  }
  requireFaultsPossible([{ action: 'join', node: 2, atMs: 0, forMs: 0 }], { cluster, means });
});

t.test('an event that is due after weeks is not due now', async (t) => {
  const marks: string[] = [];
  const faults = new FaultTimeline({ cluster: undefined }, (label) => marks.push(label));
  const event = { action: 'command', node: 1, forMs: 0 } as const;
  const day = 86_400_000;
  faults.begin([
    { ...event, command: 'exit 0 # later', atMs: 25 * day },
    { ...event, command: 'exit 0', atMs: 50 },
  ]);
  await until(() => marks.length > 0);
  await faults.close();
  t.same(marks, ['exit 0']);
  const over: string[] = [];
  const links = { cut: () => undefined, mend: () => over.push('mend') };
  const cut = new FaultTimeline({ cluster: undefined, links }, (label) => over.push(label));
  cut.begin([
    { action: 'cut', node: 1, atMs: 0, forMs: 29 * day },
    { ...event, command: 'exit 0', atMs: 50 },
  ]);
  await until(() => over.includes('exit 0'));
  t.same(over, ['the links between the sites are cut', 'exit 0'], 'and what lasts so long lasts');
  await cut.close();
});
