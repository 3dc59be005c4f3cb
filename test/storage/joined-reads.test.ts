/**
 * Joined reads decide alone what is read together: the source is held here, so that each moment can
 * be looked at.
 */

import t from 'tap';
import { Fault } from '../../src/base/fault.ts';
import { JoinedReads } from '../../src/storage/joined-reads.ts';
import { recordingHost } from './recording-host.ts';

interface HeldRead {
  readonly keys: string[];
  /** Answers each key with itself, or fails. */
  finish(error?: Error): void;
}

function bench(limits: { keysMax?: number; inFlightMax?: number; pendingMax?: number } = {}) {
  const host = recordingHost();
  const held: HeldRead[] = [];
  const deferred: (() => void)[] = [];
  const source = {
    getMany: (keys: Buffer[]) =>
      new Promise<Buffer[]>((resolve, reject) => {
        held.push({
          keys: keys.map(String),
          finish: (error) => (error === undefined ? resolve(keys) : reject(error)),
        });
      }),
    get: (key: Buffer) =>
      key.toString().startsWith('bad')
        ? Promise.reject(new Fault('store-corrupt', 'an entry cannot be read'))
        : Promise.resolve(key),
  };
  const reads = new JoinedReads(host, source, {
    keysMax: limits.keysMax ?? 64,
    inFlightMax: limits.inFlightMax ?? 1,
    pendingMax: limits.pendingMax ?? 1000,
    defer: (run) => void deferred.push(run),
  });
  const endTick = () => {
    for (const run of deferred.splice(0)) run();
  };
  const get = async (key: string) => (await reads.get(Buffer.from(key)))?.toString();
  return { host, reads, held, endTick, get };
}

t.test('reads of one tick go together, and what comes meanwhile goes next', async (t) => {
  const { host, held, endTick, get } = bench();
  const first = [get('a'), get('b'), get('a')];
  t.equal(held.length, 0);
  endTick();
  const second = [get('c'), get('d')];
  endTick();
  t.same(
    held.map(({ keys }) => keys),
    [['a', 'b', 'a']],
  );
  held[0]?.finish();
  t.same(await Promise.all(first), ['a', 'b', 'a']);
  t.same(held[1]?.keys, ['c', 'd']);
  held[1]?.finish();
  t.same(await Promise.all(second), ['c', 'd']);
  t.equal(host.counters.get('store_reads_total'), 5);
});

t.test('no more keys go together, and no more reads at a time, than allowed', async (t) => {
  const { held, endTick, get } = bench({ keysMax: 20, inFlightMax: 2 });
  const names = Array.from({ length: 90 }, (_, index) => `k${index}`);
  const values = Promise.all(names.map(get));
  endTick();
  t.same(
    held.map(({ keys }) => keys.length),
    [20, 20],
  );
  for (let index = 0; index < 5; index += 1) {
    held[index]?.finish();
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  t.same(await values, names);
  t.same(
    held.map(({ keys }) => keys.length),
    [20, 20, 20, 20, 10],
  );
});

t.test('an entry that cannot be read costs nobody else their answer', async (t) => {
  const { held, endTick, get } = bench();
  const results = Promise.allSettled([get('a'), get('bad'), get('c')]);
  endTick();
  held[0]?.finish(new Error('Corruption: bad block'));
  const [a, bad, c] = await results;
  t.match(a, { status: 'fulfilled', value: 'a' });
  t.match(bad, { status: 'rejected', reason: { code: 'store-corrupt' } });
  t.match(c, { status: 'fulfilled', value: 'c' });
});

t.test('past its bound a read is refused at once', async (t) => {
  const { host, held, endTick, get } = bench({ pendingMax: 2 });
  const taken = [get('a'), get('b')];
  await t.rejects(get('c'), { code: 'overload' });
  t.equal(host.counters.get('store_reads_refused_total'), 1);
  endTick();
  const next = get('c');
  held[0]?.finish();
  t.same(await Promise.all(taken), ['a', 'b']);
  endTick();
  held[1]?.finish();
  t.equal(await next, 'c');
});

t.test('stop answers what was taken and refuses the rest', async (t) => {
  const { reads, held, endTick, get } = bench();
  const taken = get('a');
  const stopped = reads.stop();
  await t.rejects(get('b'), { code: 'store-closed' });
  endTick();
  held[0]?.finish();
  t.equal(await taken, 'a');
  await stopped;
  await reads.stop();
});
