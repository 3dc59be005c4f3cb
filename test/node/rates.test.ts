/** Rates of background work that an operator changes: at once, for a time, and back again. */

import t from 'tap';
import { rateCommands } from '../../src/admin/rate-commands.ts';
import { ByteRateLimit } from '../../src/repair/byte-rate-limit.ts';
import { Halt } from '../../src/repair/halt.ts';
import { PACED_WORK, Rates, type PacedWork, type ShownRate } from '../../src/node/rates.ts';
import { ProcessClock, VirtualTime } from './virtual-time.ts';

const MIB = 1024 * 1024;

function paced() {
  const time = new VirtualTime();
  const clock = new ProcessClock(time);
  const limits = Object.fromEntries(
    PACED_WORK.map((work, index) => [work, new ByteRateLimit(clock, (index + 1) * MIB)]),
  ) as Record<PacedWork, ByteRateLimit>;
  const commands = rateCommands(() => rates);
  const rates = new Rates(clock, limits);
  const run = async (name: string, options = {}): Promise<readonly ShownRate[]> => {
    const command = commands.get(name);
    if (command === undefined) throw new Error(`${name} is no command`);
    return (await command(options, undefined)) as readonly ShownRate[];
  };
  /** How long it takes to bring over so many bytes, in pieces of 64 KiB. */
  const timeOf = async (work: PacedWork, bytes: number): Promise<number> => {
    const halt = new Halt();
    const startMs = time.nowMs;
    for (let taken = 0; taken < bytes; taken += MIB / 16) {
      await time.settle(limits[work].take(MIB / 16, halt));
    }
    return time.nowMs - startMs;
  };
  return { time, rates, run, timeOf };
}

t.test('work goes as fast as it was configured, or as an operator says', async (t) => {
  const { run, timeOf } = paced();
  const configured = await timeOf('transfers', 10 * MIB);
  t.ok(configured > 9_500 && configured <= 10_000, `${configured} ms`);
  await run('rate set', { work: 'transfers', bytesPerSecond: 5 * MIB });
  const faster = await timeOf('transfers', 10 * MIB);
  t.ok(faster > 1_800 && faster < 2_200, `${faster} ms`);
  await run('rate set', { work: 'transfers', bytesPerSecond: MIB / 4 });
  const slower = await timeOf('transfers', MIB);
  t.ok(slower > 3_500 && slower < 4_200, `${slower} ms`);
  const other = await timeOf('handoff', 10 * MIB);
  t.ok(other > 4_700 && other <= 5_000, `of its own: ${other} ms`);
});

t.test('a change is shown beside what was configured, and ends by itself', async (t) => {
  const { time, run } = paced();
  const asConfigured = await run('rate show');
  t.same(
    asConfigured.map(({ work, configured, leftMs }) => [work, configured / MIB, leftMs]),
    PACED_WORK.map((work, index) => [work, index + 1, undefined]),
  );
  const change = { work: 'scrub', bytesPerSecond: MIB, forMs: 10_000 };
  const [, , , scrub] = await run('rate set', change);
  t.same(scrub, { work: 'scrub', bytesPerSecond: MIB, configured: 4 * MIB, leftMs: 10_000 });
  await time.advance(9_000);
  t.match((await run('rate show'))[3], { bytesPerSecond: MIB, leftMs: 1_000 });
  await run('rate set', { ...change, bytesPerSecond: 2 * MIB });
  await time.advance(9_000);
  t.match((await run('rate show'))[3], { bytesPerSecond: 2 * MIB }, 'the first does not end it');
  await time.advance(2_000);
  t.same(await run('rate show'), asConfigured);
});

t.test('what was changed is taken back, one or all', async (t) => {
  const { time, run } = paced();
  const asConfigured = await run('rate show');
  await run('rate set', { work: 'scrub', bytesPerSecond: MIB, forMs: 60_000 });
  await run('rate set', { work: 'handoff', bytesPerSecond: MIB });
  const rates = await run('rate reset', { work: 'scrub' });
  t.match(rates[3], { bytesPerSecond: 4 * MIB, leftMs: undefined });
  t.match(rates[1], { bytesPerSecond: MIB });
  t.same(await run('rate reset'), asConfigured);
  await time.advance(120_000);
  t.same(await run('rate show'), asConfigured, 'nothing is left that would end later');
});

t.test('what is no work, rate or time is refused, and changes nothing', async (t) => {
  const { run } = paced();
  const asConfigured = await run('rate show');
  const good = { work: 'scrub', bytesPerSecond: MIB };
  for (const [bad, why] of [
    [{ ...good, work: 'sleep' }, /one of transfers, handoff/],
    [{ ...good, bytesPerSecond: MIB / 16 - 1 }, /from 64KiB to 10GiB/],
    [{ ...good, bytesPerSecond: 11 * 1024 * MIB }, /from 64KiB to 10GiB/],
    [{ ...good, bytesPerSecond: 'NaN' }, /from 64KiB to 10GiB/],
    [{ ...good, forMs: 0 }, /from 1ms to 7d/],
    [{ ...good, forMs: 8 * 86_400_000 }, /from 1ms to 7d/],
    [{}, /one of transfers, handoff/],
  ] as const) {
    await t.rejects(run('rate set', bad), why);
  }
  await t.rejects(run('rate reset', { work: 'all' }), /one of transfers/);
  t.same(await run('rate show'), asConfigured);
});
