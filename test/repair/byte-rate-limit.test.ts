/** A rate limit that is changed while somebody waits. */

import t from 'tap';
import { ByteRateLimit } from '../../src/repair/byte-rate-limit.ts';
import { Halt } from '../../src/repair/halt.ts';
import { VirtualHost } from '../replica/virtual-host.ts';

const MIB = 1024 * 1024;

t.test('what was taken at a low rate is paid at the rate of now', async (t) => {
  const host = new VirtualHost();
  const limit = new ByteRateLimit(host.clock, 64 * MIB);
  const halt = new Halt();
  limit.bytesPerSecond = MIB / 16;
  // As large as an object may be: thirteen minutes' worth.
  await limit.take(50 * MIB, halt);
  const waits = { first: false, second: false };
  void limit.take(MIB, halt).then(() => (waits.first = true));
  await host.advance(60_000);
  t.same(waits, { first: false, second: false });
  limit.bytesPerSecond = 64 * MIB;
  void limit.take(MIB, halt).then(() => (waits.second = true));
  await host.advance(2_000);
  t.same(waits, { first: true, second: true });
});

t.test('a rate that falls slows those who wait, too, and a halt ends their wait', async (t) => {
  const host = new VirtualHost();
  const limit = new ByteRateLimit(host.clock, 10 * MIB);
  const halt = new Halt();
  await limit.take(20 * MIB, halt);
  let goesOn: boolean | undefined;
  void limit.take(MIB, halt).then((result) => (goesOn = result));
  limit.bytesPerSecond = MIB;
  await host.advance(15_000);
  t.equal(goesOn, undefined, '20 MiB take 20 s now');
  halt.set();
  await host.advance(0);
  t.equal(goesOn, false);
});
