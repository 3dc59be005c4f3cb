/** What is made of nodes' rooms: when they are full, and whether one can be lost. */

import t from 'tap';
import type { NodeId } from '../../../src/base/names.ts';
import type { Holdings, MemberLoss } from '../../../src/node/capacity.ts';
import { judgeCapacity } from '../../../src/cli/capacity/capacity-judge.ts';
import { capacityText } from '../../../src/cli/capacity/capacity-text.ts';
import { figuresOf, type NodeFigures } from '../../../src/cli/capacity/node-figures.ts';

const GIB = 1024 ** 3;
const NODES = ['a@h', 'b@h', 'c@h', 'd@h'] as NodeId[];
const DAY = 86_400;

const FINE: NodeFigures = {
  storeBytes: 20 * GIB,
  storeGrowth: 1_000,
  diskGrowth: 1_000,
  growthSeconds: 3_600,
  diskFreeBytes: 40 * GIB,
  diskTotalBytes: 100 * GIB,
  diskReserveBytes: GIB,
  memoryUsedBytes: GIB,
  memoryLimitBytes: 4 * GIB,
  memoryAvailableBytes: 16 * GIB,
  busyRatio: 0.2,
  delayMs: 1.5,
};

/** Each holds 10 GiB in records, and its loss costs each of the others a third of it. */
function holdings(changes: Partial<Holdings> = {}): Holdings {
  return {
    cluster: 'test',
    ringSize: 64,
    nVal: 3,
    keys: 1_000,
    sizeBytes: 13 * GIB,
    unknownPartitions: 0,
    members: NODES.map((node) => ({
      node,
      isUp: true,
      host: 'h',
      httpPort: 1,
      partitions: 48,
      keys: 750,
      sizeBytes: 10 * GIB,
    })),
    losses: NODES.map((lost): MemberLoss => ({
      lost,
      gains: NODES.filter((node) => node !== lost).map((node) => {
        return { node, keys: 250, sizeBytes: 3 * GIB };
      }),
    })),
    ...changes,
  };
}

function figures(changes: Readonly<Record<string, Partial<NodeFigures>>> = {}) {
  return new Map(NODES.map((node) => [node as string, { ...FINE, ...changes[node] }]));
}

t.test('where there is room there is nothing to see to', (t) => {
  const report = judgeCapacity(holdings(), figures());
  t.same(report.warnings, []);
  t.match(report, { keys: 1_000, storeBytes: 80 * GIB, storeGrowth: 4_000 });
  const [loss] = report.losses;
  t.match(loss, { lost: 'a@h', fits: true, copies: 3 });
  // Stores take twice what their records do.
  t.match(loss?.gains[0], { node: 'b@h', bytes: 6 * GIB, leftBytes: 33 * GIB });
  t.match(capacityText(report), /^a@h +yes +3 +b@h 6 GiB \(33 GiB\), /m);
  t.end();
});

t.test('the first full disk and what the others lack are named', (t) => {
  const changes = {
    'b@h': { diskFreeBytes: 3 * GIB, diskGrowth: GIB / DAY },
    'c@h': { diskFreeBytes: GIB / 2 },
    'd@h': { memoryUsedBytes: 3.9 * GIB, busyRatio: 0.95 },
  };
  const report = judgeCapacity(holdings(), figures(changes));
  t.equal(report.fullInDays, 0);
  t.equal(report.nodes[1]?.fullInDays, 2);
  const fits = report.losses.map((loss) => loss.fits);
  t.same(fits, [false, false, false, false]);
  t.match(report.warnings, [
    'the disk of b@h is full in 2.0 days: add room or nodes',
    'c@h takes no new data: its disk is full up to the reserve',
    'd@h has 102 MiB of memory left',
    /^the event loop of d@h was busy for 95.0 % of the last minute/,
    'without a@h the others could not hold everything: b@h 4 GiB, c@h 6.5 GiB short',
    /^without b@h/,
    'without c@h the others could not hold everything: b@h 4 GiB short',
    /^without d@h/,
  ]);
  t.end();
});

t.test('what is not known is not taken for room', (t) => {
  const known = figures();
  known.delete('d@h');
  const report = judgeCapacity(holdings({ unknownPartitions: 2 }), known);
  t.same(
    report.losses.map(({ fits }) => fits),
    [undefined, undefined, undefined, true],
  );
  t.same(report.warnings, [
    'of 2 partitions nobody said how large they are',
    'd@h did not say what room it has',
  ]);
  t.equal(report.storeGrowth, undefined);
  t.match(capacityText(report), /3 of 4 nodes answered/);
  t.end();
});

t.test('a lone member cannot be lost', (t) => {
  const losses = [{ lost: NODES[0] as NodeId, refusal: 'only-member' as const, gains: [] }];
  const members = holdings().members.slice(0, 1);
  const report = judgeCapacity(holdings({ losses, members }), figures());
  t.match(report.losses, [{ fits: false, copies: 0 }]);
  t.same(report.warnings, ['nobody would be left without a@h']);
  t.end();
});

t.test('figures are read from what a node says, and what it does not say is not made up', (t) => {
  const text = [
    '# HELP vertebra_store_bytes What',
    '# TYPE vertebra_store_bytes gauge',
    'vertebra_store_bytes 1234',
    'vertebra_store_growth_bytes_per_second -2.5e1',
    'vertebra_event_loop_delay_ms{quantile="0.95"} 1',
    'vertebra_event_loop_delay_ms{quantile="0.99"} 7.5',
    'vertebra_memory_limit_bytes NaN',
    'vertebra_process_resident_memory_bytes 900',
    'vertebra_process_own_memory_bytes 300',
    '# EOF',
  ].join('\n');
  const found = figuresOf(text);
  t.match(found, { storeBytes: 1234, storeGrowth: -25, delayMs: 7.5, memoryUsedBytes: 300 });
  t.equal(found.memoryLimitBytes, undefined);
  t.equal(found.diskGrowth, undefined);
  t.end();
});
