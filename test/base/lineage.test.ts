/** Lineages: whatever copies are made and put back, who knows a start tells who comes after it. */

import fc from 'fast-check';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import {
  descentFrom,
  extendLineage,
  lastStart,
  newLineage,
  renumbered,
  STARTS_MAX,
  type KnownStart,
  type Lineage,
} from '../../src/base/lineage.ts';

let markCount = 0;

function start(incarnation: number) {
  markCount += 1;
  return { incarnation, mark: `${markCount}` as ByteString };
}

function next(lineage: Lineage): Lineage {
  return extendLineage(lineage, start(lastStart(lineage).incarnation + 1));
}

function times(count: number, lineage: Lineage): Lineage {
  return count === 0 ? lineage : times(count - 1, next(lineage));
}

function known(lineage: Lineage): KnownStart {
  return { ...lastStart(lineage), origin: lineage.origin };
}

const FEW = fc.nat({ max: STARTS_MAX / 2 - 1 });
const SOME = fc.integer({ min: 1, max: STARTS_MAX / 2 });

t.test('a store descends from every start that it has made', (t) => {
  fc.assert(
    fc.property(FEW, fc.nat({ max: STARTS_MAX - 1 }), (before, since) => {
      const then = times(before, newLineage(start(100)));
      return descentFrom(known(then), times(since, then)) === 'descends';
    }),
  );
  t.end();
});

t.test('a copy is older than any start that followed it, however often either begins', (t) => {
  fc.assert(
    fc.property(FEW, SOME, SOME, (before, real, copied) => {
      const image = times(before, newLineage(start(100)));
      const [disk, copy] = [times(real, image), times(copied, image)];
      return (
        descentFrom(known(disk), copy) === 'older-copy' &&
        descentFrom(known(copy), disk) === 'older-copy'
      );
    }),
  );
  t.end();
});

t.test('a new store comes after a lost one, and the lost one never comes after it', (t) => {
  fc.assert(
    fc.property(FEW, FEW, SOME, (before, since, ahead) => {
      const lost = times(before, newLineage(start(100)));
      const fresh = times(since, newLineage(start(100 + before + ahead)));
      return (
        descentFrom(known(lost), fresh) === 'newer-store' &&
        descentFrom(known(fresh), times(60, lost)) === 'older-copy'
      );
    }),
  );
  t.end();
});

t.test('a start that is older than all that are told is no reason to keep anybody out', (t) => {
  const first = newLineage(start(1));
  const second = next(first);
  t.equal(descentFrom(known(second), times(STARTS_MAX - 1, second)), 'descends');
  t.equal(descentFrom(known(second), times(STARTS_MAX, second)), 'unknown');
  t.equal(descentFrom(known(first), times(100, first)), 'descends', 'its first is told for ever');
  t.equal(times(100, first).starts.length, STARTS_MAX);
  t.end();
});

t.test('a start that is counted anew is the same start', (t) => {
  const first = newLineage(start(1));
  const raised = renumbered(first, 50);
  t.same(lastStart(raised), { ...first.origin, incarnation: 50 });
  t.same(raised.origin, lastStart(raised));
  t.equal(descentFrom(known(first), raised), 'descends');
  t.same(renumbered(next(first), 9).origin, first.origin);
  t.end();
});
