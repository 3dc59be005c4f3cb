/** What is collected, how fast, and when it may go: the rules of the value log's garbage, by themselves. */

import t from 'tap';
import { CollectPace } from '../../src/storage/collect-pace.ts';
import { ReaderGenerations } from '../../src/storage/reader-generations.ts';
import { decodeAccount, LedgerChange, SegmentLedger } from '../../src/storage/segment-ledger.ts';

function ledger(accounts: readonly (readonly [sizeBytes: number, liveBytes: number])[]) {
  const made = new SegmentLedger({ segmentSizeBytes: 100, wasteRatioMax: 0.5 });
  for (const [index, [sizeBytes, liveBytes]] of accounts.entries()) {
    made.open(index + 1, { sizeBytes, liveBytes });
  }
  return made;
}

t.test('nothing is collected while enough is live, then the least live segment is', (t) => {
  t.equal(ledger([]).findVictim(9), undefined);
  t.equal(
    ledger([
      [100, 60],
      [100, 50],
    ]).findVictim(9),
    undefined,
  );
  t.equal(
    ledger([
      [100, 60],
      [100, 30],
    ]).findVictim(9),
    2,
  );
  t.equal(
    ledger([
      [100, 100],
      [100, 0],
    ]).findVictim(9),
    2,
    'what is empty goes in any case',
  );
  t.end();
});

t.test('a segment that is being written, or is locked, is no victim', (t) => {
  const made = ledger([
    [100, 20],
    [100, 10],
  ]);
  t.equal(made.findVictim(2), 1);
  made.lock(2);
  t.equal(made.findVictim(9), 1);
  made.lock(1);
  t.equal(made.findVictim(9), undefined);
  t.end();
});

t.test('a short segment that was found is joined, one that this process ended is not', (t) => {
  t.equal(ledger([[40, 40]]).findVictim(9), 1);
  const made = ledger([]);
  const change = new LedgerChange();
  change.appended(1, 40);
  made.apply(change);
  t.equal(made.findVictim(9), undefined);
  t.end();
});

t.test('accounts follow what is appended and freed, and are stored as they will be', (t) => {
  const made = ledger([[100, 60]]);
  const change = new LedgerChange();
  change.freed(1, 25);
  change.appended(2, 30);
  change.freed(2, 10);
  change.freed(77, 10);
  const rows = [...made.rows(change)].map(({ row }) => decodeAccount(row));
  t.same(rows, [
    { sizeBytes: 100, liveBytes: 35 },
    { sizeBytes: 30, liveBytes: 20 },
  ]);
  made.apply(change);
  t.match(made.find(1), { sizeBytes: 100, liveBytes: 35 });
  t.match(made.find(2), { sizeBytes: 30, liveBytes: 20 });
  t.equal(made.find(77), undefined);
  t.same([made.sizeBytes, made.liveBytes], [130, 55]);
  made.close(1);
  t.same([made.sizeBytes, made.liveBytes], [30, 20]);
  t.equal(decodeAccount(Buffer.alloc(7)), undefined);
  t.end();
});

const PACE = {
  idleBytesPerSecond: 1_000,
  burstMaxBytes: 500,
  sliceMinBytes: 50,
  sliceMaxBytes: 400,
};

t.test('collecting goes twice as fast as writing, slowly without it, and saves up little', (t) => {
  const pace = new CollectPace(PACE, 0);
  t.equal(pace.waitMs(0), 0);
  pace.collected(300);
  t.equal(pace.waitMs(0), 300);
  t.equal(pace.waitMs(200), 100);
  pace.written(50);
  t.equal(pace.waitMs(200), 0);
  pace.written(10_000);
  pace.collected(700);
  t.equal(pace.waitMs(200), 200);
  t.end();
});

t.test('where commits are slow, slices grow until collecting keeps up with writing', (t) => {
  const pace = new CollectPace(PACE, 0);
  const [commitMs, commitsPerSlice, writtenPerCommit] = [100, 3, 50];
  let collectedBytes = 0;
  let writtenBytes = 0;
  const sizes: number[] = [];
  for (let slice = 0; slice < 100; slice += 1) {
    const sizeBytes = pace.nextSliceBytes();
    sizes.push(sizeBytes);
    collectedBytes += sizeBytes;
    pace.collected(sizeBytes);
    for (let commit = 0; commit < commitsPerSlice; commit += 1) {
      writtenBytes += writtenPerCommit;
      pace.written(writtenPerCommit);
    }
    t.equal(pace.waitMs(slice * commitsPerSlice * commitMs), 0);
  }
  t.ok(collectedBytes > 1.9 * writtenBytes, `${collectedBytes} for ${writtenBytes}`);
  t.same(sizes.slice(0, 4), [50, 100, 200, 400], 'not at once');
  t.equal(Math.max(...sizes), 400);
  t.end();
});

t.test('a quick disk sees small slices', (t) => {
  const pace = new CollectPace(PACE, 0);
  for (let slice = 0; slice < 10; slice += 1) {
    pace.written(25);
    const sizeBytes = pace.nextSliceBytes();
    t.equal(sizeBytes, 50);
    pace.collected(sizeBytes);
  }
  t.end();
});

t.test('what is removed waits for those who may read it, and for nobody else', (t) => {
  const readers = new ReaderGenerations();
  const removed: string[] = [];
  readers.whenLeft(() => removed.push('unread'));
  t.same(removed, ['unread']);
  const early = readers.enter();
  readers.whenLeft(() => removed.push('first'));
  const late = readers.enter();
  readers.whenLeft(() => removed.push('second'));
  t.equal(readers.waitingCount, 2);
  readers.leave(late);
  t.same(removed, ['unread'], 'who came earlier may read both');
  readers.leave(early);
  t.same(removed, ['unread', 'first', 'second']);
  t.equal(readers.waitingCount, 0);
  t.end();
});
