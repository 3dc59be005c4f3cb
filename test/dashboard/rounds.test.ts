/** Rounds go on, whatever becomes of one of them. */

import t from 'tap';
import type { Gatherer } from '../../src/dashboard/gatherer.ts';
import type { Snapshot } from '../../src/dashboard/page/snapshot.ts';
import { Rounds } from '../../src/dashboard/rounds.ts';

const QUICK = { watchedMs: 1, restMs: 1 };

/** Rounds over what `round` makes of its number, from 1; all that failed. */
function roundsOf(round: (number: number) => Snapshot): { rounds: Rounds; failures: string[] } {
  let count = 0;
  const gatherer = {
    round: async () => {
      count += 1;
      return round(count);
    },
  };
  const failures: string[] = [];
  const rounds = new Rounds(gatherer as unknown as Gatherer, QUICK, (reason) => {
    failures.push(reason);
  });
  t.teardown(() => rounds.close());
  return { rounds, failures };
}

function snapshotAt(atMs: number): Snapshot {
  return { atMs, nodes: [] } as unknown as Snapshot;
}

/** The moments of so many snapshots that come after what comes first. */
function shown(rounds: Rounds, count: number): Promise<readonly number[]> {
  return new Promise((resolve) => {
    const moments: number[] = [];
    const leave = rounds.listen({
      snapshot: ({ atMs }) => {
        moments.push(atMs);
        if (moments.length < count) return;
        leave();
        resolve(moments);
      },
      sample: () => {},
    });
  });
}

t.test('a round that fails is told of once, and followed by the next', async (t) => {
  const { rounds, failures } = roundsOf((number) => {
    if (number <= 3) throw new TypeError('no such figure');
    if (number === 5) throw new TypeError('no such node');
    return snapshotAt(number);
  });
  rounds.start();
  t.same(await shown(rounds, 3), [4, 6, 7]);
  t.same(failures, ['no such figure', 'no such node']);
});

t.test('who looks and cannot be told keeps nobody else from it', async (t) => {
  const { rounds, failures } = roundsOf(snapshotAt);
  rounds.listen({
    snapshot: () => {
      throw new RangeError('too long for a string');
    },
    sample: () => {},
  });
  t.match(await shown(rounds, 3), [Number, Number, Number]);
  t.same(failures, ['too long for a string']);
});
