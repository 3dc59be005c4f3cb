/**
 * The short form of the chaos run (`npm run test:chaos` is the long one): each fault once, under load,
 * and then each acknowledged write is looked for through every node.
 */

import t from 'tap';
import { ChaosRun, verdictText } from './chaos/chaos-run.ts';

const WRITES = 25;

t.test('nothing acknowledged is lost, and all replicas are equal in the end', async (t) => {
  const run = await ChaosRun.start();
  t.teardown(() => run.close());
  await run.more(WRITES);
  const errorFreeMs = await run.killAndRestart(1, WRITES);
  t.comment(`an error-free second began ${errorFreeMs} ms after SIGKILL`);
  await run.pauseProcess(2, WRITES);
  const wasCut = await run.cutLink(3, WRITES);
  t.equal(wasCut, run.noHosts === undefined, run.noHosts ?? 'a link was cut');
  const wasFull = await run.fillDisk(WRITES);
  t.equal(wasFull, run.hasSmallDisk, wasFull ? 'a disk was full' : 'no small disk on this machine');
  const readOnly = await run.turnReadOnly(WRITES);
  if (run.hasLoopDisk) t.match(readOnly, { reason: /^the store takes no writes/, found: 'found' });
  else t.equal(readOnly, undefined, 'no loop device on this machine');
  await run.untilNothingOwed();
  await run.replaceDisk(0, WRITES);
  const verdict = await run.verdict();
  t.comment(verdictText(verdict));
  t.same(verdict.lost, []);
  t.equal(verdict.equalReplicas, verdict.replicaCount);
  t.ok(verdict.acknowledged > 5 * WRITES);
  t.ok(verdict.replicaCount >= 3 * verdict.acknowledged);
});
