/**
 * `npm run test:chaos [-- --minutes 10]`: faults by chance, one after the other, and the verdict.
 */

import { parseArgs } from 'node:util';
import { ChaosRun, NODE_COUNT, verdictText } from './chaos-run.ts';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
const endMs = performance.now() + Number(values.minutes) * 60_000;
const WRITES = 200;

const run = await ChaosRun.start();
try {
  if (run.noHosts !== undefined) console.log(`no links can be cut here: ${run.noHosts}`);
  if (!run.hasSmallDisk) console.log('no small file system can be mounted here: no disk fills up');
  if (!run.hasLoopDisk) console.log('no loop device can be mounted here: no disk turns read-only');
  const all = Array.from({ length: NODE_COUNT }, (_, index) => index);
  const errorFreeTimes: number[] = [];
  const faults: Readonly<Record<string, (index: number) => Promise<unknown>>> = {
    kill: async (index) => errorFreeTimes.push(await run.killAndRestart(index, WRITES)),
    pause: (index) => run.pauseProcess(index, WRITES),
    'cut link': (index) => run.cutLink(index, WRITES),
    'full disk': () => run.fillDisk(WRITES),
    'read-only disk': () => run.turnReadOnly(WRITES),
    'damaged files': async (index) => {
      // What is gone with them must be with others.
      await run.heal();
      await run.damageFiles(index % (NODE_COUNT - 1), WRITES);
      await run.heal();
    },
    'empty disk': async (index) => {
      // The disk of a second replica must not go before the first is filled again.
      await run.heal();
      await run.replaceDisk(index % (NODE_COUNT - 1), WRITES);
      await run.heal();
    },
    'rolling restart': () => run.rollingRestart(all),
  };
  const names = Object.keys(faults);
  for (let round = 0; performance.now() < endMs; round += 1) {
    // Each fault at least once, then by chance.
    const drawn = round < names.length ? round : Math.floor(Math.random() * names.length);
    const name = names[drawn] as string;
    const index = Math.floor(Math.random() * NODE_COUNT);
    console.log(`${name} (node ${index + 1})`);
    await faults[name]?.(index);
    await run.untilAllUp();
  }
  const verdict = await run.verdict();
  const times = errorFreeTimes.toSorted((left, right) => left - right);
  console.log(`from SIGKILL to the first error-free second: ${times.join(', ')} ms`);
  console.log(verdictText(verdict));
  const isGood = verdict.lost.length === 0 && verdict.equalReplicas === verdict.replicaCount;
  process.exitCode = isGood ? 0 : 1;
} finally {
  await run.close();
}
