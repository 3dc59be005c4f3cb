/**
 * The ledger and the verifier: what was acknowledged is found, or missed.
 */

import t from 'tap';
import { judge, withAcknowledged } from '../../bench/load/key-history.ts';
import { Ledger } from '../../bench/load/ledger.ts';
import { ProcessKeys } from '../../bench/load/process-keys.ts';
import { readStamp, stampNumber, writeStamp } from '../../bench/load/stamp.ts';
import { TrackedWrites } from '../../bench/load/tracked-writes.ts';
import { verify } from '../../bench/load/verify.ts';
import { Fault } from '../../src/base/fault.ts';
import { findWorkload } from '../../bench/workload/find-workload.ts';
import type { ReadAnswer, Session, WriteContent } from '../../bench/target/session.ts';
import type { Write } from '../../bench/load/key-history.ts';
import type { ObjectKey } from '../../src/base/names.ts';

const RUN = 77;

function write(stamp: number, startMs: number, rest: Partial<Write> = {}): Write {
  return {
    stamp,
    startMs,
    endMs: startMs + 5,
    isAcknowledged: true,
    isDelete: false,
    basis: undefined,
    ...rest,
  };
}

function open(stamp: number, startMs: number, rest: Partial<Write> = {}): Write {
  return write(stamp, startMs, { endMs: Infinity, isAcknowledged: false, ...rest });
}

const SOUND = { lost: 0, unknown: 0, returned: 0 };

t.test('where one value is kept the last write must be there', (t) => {
  const kept = [write(1, 0), write(2, 10)].reduce<Write[]>(
    (all, one) => withAcknowledged(all, one, false),
    [],
  );
  t.same(
    kept.map(({ stamp }) => stamp),
    [2],
  );
  t.same(judge(kept, [2], false), SOUND);
  t.same(judge(kept, [1], false), { lost: 1, unknown: 0, returned: 0 });
  t.same(judge(kept, [], false), { lost: 1, unknown: 0, returned: 0 });
  t.end();
});

t.test('of concurrent writes to one value either may be there', (t) => {
  const kept = withAcknowledged([write(1, 0)], write(2, 3), false);
  for (const found of [1, 2]) t.same(judge(kept, [found], false), SOUND);
  t.equal(judge(kept, [], false).lost, 1);
  t.end();
});

t.test('a write without an answer may be there or not', (t) => {
  const kept = [...withAcknowledged([], write(1, 0), false), open(2, 10)];
  for (const found of [1, 2]) t.same(judge(kept, [found], false), SOUND);
  t.same(judge([open(3, 0)], [], false), SOUND);
  t.end();
});

t.test('where siblings are kept each must be there until somebody wrote who had read it', (t) => {
  const blind = withAcknowledged([write(1, 0)], write(2, 10), true);
  t.same(judge(blind, [1, 2], true), SOUND);
  t.equal(judge(blind, [2], true).lost, 1);
  const resolved = withAcknowledged(blind, write(3, 20, { basis: [1, 2] }), true);
  t.same(judge(resolved, [3], true), SOUND);
  t.same(judge(resolved, [3, 1], true), { lost: 0, unknown: 0, returned: 1 });
  t.end();
});

t.test('what a write without an answer would supersede is not called lost', (t) => {
  const kept = [write(1, 0), open(2, 10, { basis: [1] })];
  t.same(judge(kept, [2], true), { lost: 0, unknown: 1, returned: 0 });
  t.same(judge(kept, [1], true), SOUND);
  // Somebody read the second and wrote: so it had been carried out, and the first is gone with it.
  const later = withAcknowledged(kept, write(3, 20, { basis: [2] }), true);
  t.same(
    later.map(({ stamp }) => stamp),
    [3],
  );
  t.end();
});

t.test('a deleted value that is there again is counted', (t) => {
  for (const keepsSiblings of [true, false]) {
    const kept = withAcknowledged([write(1, 0)], write(2, 10, { isDelete: true }), keepsSiblings);
    t.same(judge(kept, [], keepsSiblings), SOUND);
    t.equal(judge(kept, [1], keepsSiblings).returned, 1);
    const anew = withAcknowledged(kept, write(3, 20), keepsSiblings);
    t.same(judge(anew, [3], keepsSiblings), SOUND);
  }
  t.end();
});

t.test('where siblings are kept a write beside a delete may be gone, and after it not', (t) => {
  const all = (...writes: readonly Write[]): Write[] =>
    writes.reduce<Write[]>((kept, one) => withAcknowledged(kept, one, true), []);
  const beside = write(2, 8, { endMs: 20, isDelete: true });
  // Answered before the delete was, or after it.
  for (const kept of [all(write(1, 10), beside), all(beside, write(1, 18))]) {
    t.same(judge(kept, [], true), SOUND);
    t.same(judge(kept, [1], true), SOUND);
    const anew = withAcknowledged(kept, write(3, 30), true);
    t.same(judge(anew, [3], true), SOUND, 'though the delete is forgotten');
    t.same(judge(anew, [1, 3], true), SOUND);
    t.equal(judge(anew, [1], true).lost, 1);
  }
  t.equal(judge(all(beside, write(1, 21)), [], true).lost, 1);
  // One without an answer may be carried out at any time.
  const kept = withAcknowledged([open(2, 0, { isDelete: true })], write(1, 10), true);
  t.same(judge(kept, [], true), { lost: 0, unknown: 1, returned: 0 });
  t.same(judge(kept, [1], true), SOUND);
  t.end();
});

t.test('a stamp says which write of which run a value is', (t) => {
  const value = Buffer.alloc(16);
  t.equal(readStamp(value, RUN), undefined);
  const stamp = stampNumber(65_535, 4_000_000_000);
  writeStamp(value, RUN, stamp);
  t.equal(readStamp(value, RUN), stamp);
  t.equal(readStamp(value, RUN + 1), undefined);
  t.end();
});

t.test('a ledger remembers the last write of many keys', (t) => {
  const ledger = new Ledger(() => false);
  for (let key = 0; key < 20_000; key += 1) ledger.acknowledge(key * 2 ** 20, write(key, 0));
  for (let key = 0; key < 20_000; key += 2)
    ledger.acknowledge(key * 2 ** 20, write(50_000 + key, 9));
  t.equal([...ledger.keys()].length, 20_000);
  t.equal(ledger.remaining(4 * 2 ** 20)[0]?.stamp, 50_004);
  t.equal(ledger.remaining(5 * 2 ** 20)[0]?.stamp, 5);
  t.same(ledger.remaining(1), []);
  t.equal(ledger.acknowledgedCount, 30_000);
  t.end();
});

t.test('a full ledger lets go of half of its keys, whole', (t) => {
  const ledger = new Ledger(() => false, 1_000);
  for (let key = 0; key < 10_000; key += 1) ledger.acknowledge(key, write(key, 0));
  const kept = [...ledger.keys()];
  t.ok(kept.length <= 1_000 && kept.length > 300, String(kept.length));
  t.same(
    kept.map((key) => ledger.remaining(key)[0]?.stamp),
    kept,
  );
  t.ok(ledger.followedShare < 0.2);
  t.equal(ledger.acknowledgedCount, 10_000);
  t.end();
});

/** Keeps values in memory, and forgets when it is told to. */
class ForgetfulSession implements Session {
  readonly node = 0;
  readonly values = new Map<string, Buffer>();
  nextFault: Fault | undefined;

  get({ key }: ObjectKey): Promise<ReadAnswer> {
    const value = this.values.get(key);
    return Promise.resolve({ values: value === undefined ? [] : [value], context: undefined });
  }

  put({ key }: ObjectKey, { value }: WriteContent): Promise<'stored'> {
    const fault = this.nextFault;
    this.nextFault = undefined;
    if (fault !== undefined) return Promise.reject(fault);
    this.values.set(key, value);
    return Promise.resolve('stored');
  }

  delete({ key }: ObjectKey): Promise<void> {
    this.values.delete(key);
    return Promise.resolve();
  }

  query(): Promise<never[]> {
    return Promise.resolve([]);
  }

  queryApi(): Promise<void> {
    return Promise.resolve();
  }

  setProperties(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  keepsSiblings(): Promise<boolean> {
    return Promise.resolve(false);
  }

  close(): void {}
}

t.test(
  'the verifier finds a planted loss, an old value, and a deleted one that came back',
  async (t) => {
    const workload = findWorkload('ycsb-a');
    const keys = new ProcessKeys(workload, { index: 0, count: 1 });
    const set = keys.mustSet('users');
    const ledger = new Ledger(() => false);
    const writes = new TrackedWrites(ledger, { writer: 0, run: RUN });
    const session = new ForgetfulSession();
    const put = (number: number) =>
      writes.put(session, keys.tracked(set, number), { value: Buffer.alloc(64), basis: undefined });
    const nameOf = (number: number) => keys.tracked(set, number).key.key;
    for (let number = 0; number < 50; number += 1) await put(number);
    const look = () =>
      verify(
        {
          ledger,
          keys,
          keepsSiblings: () => false,
          sessions: [session, session],
          run: RUN,
          onProgress: () => {},
        },
        0,
      );
    t.match(await look(), { lost: 0, acknowledged: 50, followed: 50, keysRead: 50 });

    session.values.delete(nameOf(7));
    const old = session.values.get(nameOf(8)) as Buffer;
    await put(8);
    session.values.set(nameOf(8), old);
    t.match(await look(), { lost: 2, acknowledged: 51, returned: 0 });

    const deleted = session.values.get(nameOf(9)) as Buffer;
    await writes.delete(session, keys.tracked(set, 9));
    session.values.set(nameOf(9), deleted);
    t.match(await look(), { lost: 2, returned: 1 });

    session.nextFault = new Fault('timeout', 'no answer');
    await t.rejects(put(10), { code: 'timeout' });
    session.nextFault = new Fault('peer-unreachable', 'never sent');
    await t.rejects(put(11), { code: 'peer-unreachable' });
    t.match(await look(), { lost: 2, unanswered: 1 });
  },
);

t.test('what seems lost is looked for again over all sessions at once', async (t) => {
  const keys = new ProcessKeys(findWorkload('ycsb-a'), { index: 0, count: 1 });
  const set = keys.mustSet('users');
  const ledger = new Ledger(() => false);
  for (const number of [0, 1, 2, 3]) {
    ledger.acknowledge(keys.tracked(set, number).number, write(number, 0));
  }
  let waiting = 0;
  let together = 0;
  const slow = async (): Promise<ReadAnswer> => {
    waiting += 1;
    together = Math.max(together, waiting);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    waiting -= 1;
    return { values: [], context: undefined };
  };
  const sessions = [0, 1, 2].map(() => Object.assign(new ForgetfulSession(), { get: slow }));
  const parts = { ledger, keys, keepsSiblings: () => false, sessions, run: RUN };
  let firstLook = 0;
  const onProgress = (done: number): void => {
    if (done < 4) return;
    firstLook = together;
    together = 0;
  };
  t.match(await verify({ ...parts, onProgress }, 0), { lost: 4, keysRead: 4 });
  t.same([firstLook, together], [3, 3]);
});

t.test(
  'keys that cannot be read are told, and a target that is gone is not asked for each',
  async (t) => {
    const keys = new ProcessKeys(findWorkload('ycsb-a'), { index: 0, count: 1 });
    const set = keys.mustSet('users');
    const ledger = new Ledger(() => false);
    for (let number = 0; number < 1_000; number += 1) {
      ledger.acknowledge(keys.tracked(set, number).number, write(number, 0));
    }
    let asked = 0;
    const get = (): Promise<ReadAnswer> => {
      asked += 1;
      return Promise.reject(new Fault('timeout', 'no answer'));
    };
    const sessions = [0, 1].map(() => Object.assign(new ForgetfulSession(), { get }));
    const parts = { ledger, keys, keepsSiblings: () => false, sessions, run: RUN };
    const verdict = await verify({ ...parts, onProgress: () => {}, giveUpAfterMs: 0 }, 0);
    t.match(verdict, { lost: 0, unknown: 1_000, unread: 1_000, keysRead: 0 });
    t.ok(asked < 20, `${asked} times`);
  },
);

t.test('writes without an answer on one key are no acknowledged ones that are let go', (t) => {
  const ledger = new Ledger(() => true);
  ledger.acknowledge(1, write(1, 0));
  for (let stamp = 2; stamp < 400; stamp += 1) ledger.leaveOpen(1, open(stamp, stamp));
  t.equal(ledger.followedCount, 0);
  ledger.acknowledge(2, write(500, 0));
  t.equal(ledger.followedCount, 1);
  t.end();
});
