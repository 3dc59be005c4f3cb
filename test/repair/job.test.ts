/** Jobs: one of a kind at a time, seen as they go, ended when they are told to. */

import t from 'tap';
import { Fault } from '../../src/base/fault.ts';
import { Job } from '../../src/repair/job.ts';
import { VirtualHost } from '../replica/virtual-host.ts';

t.test('a job reports as it goes, and its outcome stays', async (t) => {
  const host = new VirtualHost();
  const job = new Job<number>(host, 'count');
  t.match(job.status(), { state: 'none', progress: undefined });
  t.ok(
    job.start(async (halt, report) => {
      for (let step = 1; step <= 3; step += 1) {
        report(step);
        await halt.wait(host.clock, 1_000);
      }
    }),
  );
  await host.advance(1_500);
  t.match(job.status(), { state: 'running', progress: 2, tookMs: 1_500 });
  t.equal(
    job.start(async () => {}),
    false,
    'one at a time',
  );
  await host.advance(1_500);
  t.match(job.status(), { state: 'done', progress: 3, tookMs: 3_000 });
  t.ok(job.start(async () => {}));
});

t.test('a cancelled job has ended when cancel resolves', async (t) => {
  const host = new VirtualHost();
  const job = new Job<number>(host, 'wait');
  job.start((halt) => halt.wait(host.clock, 60_000));
  await job.cancel();
  t.match(job.status(), { state: 'cancelled' });
  t.equal(host.timerCount, 0);
  await job.cancel();
});

t.test('a fault fails the job, and says why', async (t) => {
  const job = new Job<number>(new VirtualHost(), 'fail');
  job.start(async () => {
    await Promise.resolve();
    throw new Fault('store-closed', 'the store is closed');
  });
  await job.cancel();
  t.match(job.status(), { state: 'failed', reason: 'the store is closed' });
});
