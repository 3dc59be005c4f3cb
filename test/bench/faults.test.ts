/** Faults of a run, and that a run outlives them. */

import t from 'tap';
import { FaultTimeline, requireFaultsPossible } from '../../bench/load/faults.ts';
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
  const faults = new FaultTimeline(new FrailCluster(), (label) => marks.push(label));
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
    const faults = new FaultTimeline(undefined, (label) => done.push(label), links);
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
  const faults = new FaultTimeline(undefined, (label) => marks.push(label));
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
