/**
 * Group commit decides alone what shares a batch: nothing real is under it here, so that each moment
 * can be held.
 */

import t from 'tap';
import { GroupCommit } from '../../src/storage/group-commit.ts';
import type { CommitBatch } from '../../src/storage/group-commit.ts';
import { recordingHost } from './recording-host.ts';
import type { RecordingHost } from './recording-host.ts';
import { put, remove } from './store-compliance.ts';

/** What a batch finds no memory for. */
const NO_MEMORY = Buffer.from('too large');

interface HeldBatch {
  readonly operations: string[];
  isWritten: boolean;
  isClosed: boolean;
  finish(error?: Error): void;
}

interface Bench {
  readonly host: RecordingHost;
  readonly commit: GroupCommit;
  readonly batches: HeldBatch[];
  /** Ends the tick: runs what was deferred. */
  endTick(): void;
}

function bench(limits: { bytes?: number; operations?: number } = {}): Bench {
  const host = recordingHost();
  const batches: HeldBatch[] = [];
  const deferred: (() => void)[] = [];
  const begin = (): CommitBatch => {
    const operations: string[] = [];
    let finish: (error?: Error) => void = () => {};
    const written = new Promise<void>((resolve, reject) => {
      finish = (error) => (error === undefined ? resolve() : reject(error));
    });
    const held = { operations, isWritten: false, isClosed: false, finish };
    batches.push(held);
    return {
      put({ key, head }) {
        if (head.equals(NO_MEMORY)) throw new RangeError('Array buffer allocation failed');
        operations.push(`${key.toString()}=${head.toString()}`);
      },
      remove: (key) => void operations.push(`-${key.toString()}`),
      write() {
        held.isWritten = true;
        return written;
      },
      close: () => void (held.isClosed = true),
    };
  };
  const commit = new GroupCommit(host, begin, {
    pendingBytesMax: limits.bytes ?? 1000,
    pendingOperationsMax: limits.operations ?? 1000,
    defer: (run) => void deferred.push(run),
  });
  const endTick = () => {
    for (const run of deferred.splice(0)) run();
  };
  return { host, commit, batches, endTick };
}

/** Lets settled promises be heard. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

t.test('writes of one tick share a batch, and those that follow share the next', async (t) => {
  const { host, commit, batches, endTick } = bench();
  const first = [commit.write([put('a', '1')]), commit.write([put('b', '2'), remove('a')])];
  t.equal(batches[0]?.isWritten, false);
  endTick();
  t.equal(batches[0]?.isWritten, true);
  const second = [commit.write([put('c', '3')]), commit.write([put('d', '4')])];
  endTick();
  await settle();
  t.equal(batches[1]?.isWritten, false, 'one batch at a time');
  batches[0]?.finish();
  await Promise.all(first);
  await settle();
  t.equal(batches[1]?.isWritten, true);
  batches[1]?.finish();
  await Promise.all(second);
  t.same(
    batches.map(({ operations }) => operations),
    [
      ['a=1', 'b=2', '-a'],
      ['c=3', 'd=4'],
    ],
  );
  t.equal(host.counters.get('store_writes_total'), 4);
  t.same(host.observations.get('store_batch_writes'), [2, 2]);
  t.equal(host.gauges.get('store_pending_bytes'), 0);
});

t.test('a failed batch fences: nothing is acknowledged after it', async (t) => {
  const { host, commit, batches, endTick } = bench();
  const failing = commit.write([put('a', '1')]);
  endTick();
  const waiting = commit.write([put('b', '2')]);
  t.equal(commit.health().kind, 'ready');
  batches[0]?.finish(new Error('IO error: no space left'));
  await t.rejects(failing, { code: 'store-fenced' });
  await t.rejects(waiting, { code: 'store-fenced' });
  await t.rejects(commit.write([put('c', '3')]), { code: 'store-fenced' });
  t.match(commit.refusal(), { code: 'store-fenced' });
  t.equal(batches[1]?.isWritten, false, 'what waited is never written');
  t.same(
    batches.map(({ isClosed }) => isClosed),
    [true, true],
    'nor kept',
  );
  t.equal(batches.length, 2);
  t.match(commit.health(), { kind: 'fenced', reason: /no space left/ });
  t.same(host.events, ['error store.fenced']);
  t.equal(host.gauges.get('store_fenced'), 1);
  await commit.stop();
  t.match(commit.refusal(), { code: 'store-fenced' }, 'a fence outlives the stop');
});

t.test(
  'past its bounds a write is refused at once, and taken again when there is room',
  async (t) => {
    const { host, commit, batches, endTick } = bench({ bytes: 10 });
    const big = commit.write([put('key', 'much more than the bound')]);
    t.match(commit.refusal(), { code: 'overload' });
    await t.rejects(commit.write([put('a', '')]), { code: 'overload' });
    t.equal(host.counters.get('store_writes_refused_total'), 1);
    endTick();
    await t.rejects(commit.write([put('a', '')]), { code: 'overload' }, 'under way counts too');
    batches[0]?.finish();
    await big;
    t.equal(commit.refusal(), undefined);
    const next = commit.write([put('a', '')]);
    await settle();
    endTick();
    batches[1]?.finish();
    await next;
    t.same(batches[1]?.operations, ['a=']);
  },
);

t.test('the count of operations is bounded too', async (t) => {
  const { commit } = bench({ operations: 3 });
  void commit.write([put('a', ''), put('b', '')]);
  t.equal(commit.refusal(), undefined);
  void commit.write([put('c', '')]);
  await t.rejects(commit.write([put('d', '')]), { code: 'overload' });
});

t.test('what was allowed by refusal is taken', async (t) => {
  const { commit } = bench({ bytes: 4 });
  void commit.write([put('a', '12')]);
  t.equal(commit.refusal(), undefined);
  let isRefused = false;
  commit.write([put('b', 'any size')]).catch(() => (isRefused = true));
  await settle();
  t.equal(isRefused, false);
});

t.test('stop waits for the batch under way and the one that gathers', async (t) => {
  const { commit, batches, endTick } = bench();
  const writes = [commit.write([put('a', '1')])];
  endTick();
  writes.push(commit.write([put('b', '2')]));
  let isStopped = false;
  const stopped = commit.stop().then(() => (isStopped = true));
  await t.rejects(commit.write([put('c', '3')]), { code: 'store-closed' });
  batches[0]?.finish();
  await settle();
  t.equal(isStopped, false);
  batches[1]?.finish();
  await Promise.all(writes);
  await stopped;
  await commit.stop();
});

t.test('an empty write goes to no disk but keeps its place', async (t) => {
  const { commit, batches, endTick } = bench();
  const first = commit.write([put('a', '1')]);
  endTick();
  let isResolved = false;
  const empty = commit.write([]).then(() => (isResolved = true));
  await settle();
  t.equal(isResolved, false);
  batches[0]?.finish();
  await Promise.all([first, empty]);
  t.equal(batches.length, 1, 'a database keeps a batch that is begun until it is written');
});

t.test('a write without a key is a bug', (t) => {
  const { commit } = bench();
  t.throws(() => commit.write([put('', '1')]), /a key is not empty/);
  t.end();
});

t.test('of a write that breaks off halfway nothing is ever written', async (t) => {
  const { commit, batches, endTick } = bench();
  const before = commit.write([put('a', '1')]);
  const half = [put('b', '2'), put('c', NO_MEMORY.toString())];
  t.throws(() => commit.write(half), { message: 'Array buffer allocation failed' });
  endTick();
  await t.rejects(before, { code: 'store-fenced' });
  await t.rejects(commit.write([put('d', '4')]), { code: 'store-fenced' });
  t.same(
    batches.map(({ isWritten, isClosed }) => ({ isWritten, isClosed })),
    [{ isWritten: false, isClosed: true }],
  );
  await commit.stop();
});
