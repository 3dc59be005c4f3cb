/** A change that breaks off at this node is told with its cause, and not as a silence of the others. */

import t from 'tap';
import { Fault } from '../../src/base/fault.ts';
import { ClusterChanges } from '../../src/node/cluster-changes.ts';
import { SecurityChanges } from '../../src/node/security-changes.ts';

const because = 'too many changes of the cluster state are waiting';

t.test('overload is told as what it is', async (t) => {
  const options = { agreeTimeoutMs: 1, spreadTimeoutMs: 1 };
  const ports = { proposer: { propose: () => Promise.reject(new Fault('overload', because)) } };
  const told = { kind: 'timeout', mayTakeEffect: true, because };
  const cluster = new ClusterChanges(ports as never, options);
  t.same(await cluster.commit(undefined), told);
  const unreadable = Promise.reject(new Fault('malformed', 'a location is no name'));
  const unvoted = new ClusterChanges({ proposer: { propose: () => unreadable } } as never, options);
  t.match(await unvoted.commit(undefined), { kind: 'timeout', mayTakeEffect: false });
  const security = new SecurityChanges(ports as never, options);
  t.same(await security.change('security enable', () => ({}) as never), told);
});
