/**
 * From a node's metrics to figures, and what is remembered of them: bounded, and not misled by
 * restarts.
 */

import t from 'tap';
import { areMetrics, figuresOf, readMetrics } from '../../src/dashboard/metrics-reading.ts';
import { refusalsOf, WATCHED_COUNTERS } from '../../src/dashboard/refusal-counters.ts';
import { RefusedShare } from '../../src/dashboard/refused-share.ts';
import { RiseWatch } from '../../src/dashboard/rise-watch.ts';
import { SampleRing } from '../../src/dashboard/sample-ring.ts';
import { nodeSaying } from './page/snapshots.ts';

function metricsOf(values: Readonly<Record<string, number>>): string {
  const lines = Object.entries(values).map(([name, value]) => `vertebra_${name} ${value}`);
  return `# TYPE x gauge\n${lines.join('\n')}\n# EOF\n`;
}

t.test('rates are between two rounds of one start, quantiles in milliseconds', (t) => {
  const one = readMetrics(
    metricsOf({
      process_start_time_seconds: 100,
      node_gets_total: 50,
      'node_get_fsm_time{quantile="0.99"}': 2_500,
      'requests_refused_total{api="http"}': 1,
      'requests_refused_total{api="pbc"}': 2,
      'build_info{version="1.2.3",node_version="20"}': 1,
      'peer_clock_offset_seconds{peer="b"}': -0.7,
      'peer_clock_offset_seconds{peer="c"}': 0.6,
    }),
    1_000,
  );
  t.equal(one.release, '1.2.3');
  t.equal(one.values.get('requests_refused_total'), 3, 'series with labels add up');
  t.equal(one.largest.get('peer_clock_offset_seconds'), 0.7);
  const two = readMetrics(
    metricsOf({ process_start_time_seconds: 100, node_gets_total: 150 }),
    3_000,
  );
  t.match(figuresOf(one, undefined, 160_000), { uptimeSeconds: 60, readP99Ms: 2.5 });
  t.notOk('readsPerSecond' in figuresOf(one, undefined, 0), 'nothing to compare with');
  t.equal(figuresOf(two, one, 0).readsPerSecond, 50);
  const again = readMetrics(
    metricsOf({ process_start_time_seconds: 300, node_gets_total: 200 }),
    5_000,
  );
  t.notOk('readsPerSecond' in figuresOf(again, two, 0), 'it was started again in between');
  t.end();
});

t.test(
  'what is no node’s text is told, and never costs more than a bounded number of series',
  (t) => {
    t.notOk(areMetrics('<html>hello</html>'));
    t.equal(readMetrics('\0'.repeat(1_000), 0).values.size, 0);
    t.equal(readMetrics(metricsOf({ x: NaN, y: Infinity }), 0).values.size, 0);
    const many = Array.from({ length: 6_000 }, (_, index) => `vertebra_x${index} 1`).join('\n');
    t.equal(readMetrics(many, 0).values.size, 5_000);
    t.end();
  },
);

t.test(
  'a rise is seen when it happens, also over a restart and on a counter that was not there',
  (t) => {
    const [counter = ''] = WATCHED_COUNTERS;
    const rises = new RiseWatch(WATCHED_COUNTERS);
    const note = (atMs: number, value?: number): void => {
      rises.note(
        'a',
        readMetrics(value === undefined ? '' : metricsOf({ [counter]: value }), atMs),
      );
    };
    note(0, 7);
    t.match(
      rises.riseOf('a', counter),
      { total: 7, risen: 0, lastMs: undefined },
      'what was before is no rise',
    );
    note(1, 7);
    note(2, 9);
    t.match(rises.riseOf('a', counter), { total: 9, risen: 2, lastMs: 2 });
    note(3, 1);
    t.match(rises.riseOf('a', counter), { total: 1, risen: 3, lastMs: 3 });
    note(4);
    note(5, 2);
    t.match(rises.riseOf('a', counter), { risen: 5, lastMs: 5, sinceMs: 0 });
    t.match(refusalsOf(rises, ['a', 'b'], 15), [
      {
        counter: `vertebra_${counter}`,
        byNode: [{ node: 'a', total: 2, risen: 5, lastAgoMs: 10 }],
      },
    ]);
    rises.keepOnly(new Set());
    t.equal(rises.riseOf('a', counter), undefined);
    t.end();
  },
);

t.test('the share of refused requests is of the last five minutes', (t) => {
  const share = new RefusedShare();
  const note = (atMs: number, refused: number, gets: number): void => {
    share.note(
      readMetrics(metricsOf({ requests_refused_total: refused, node_gets_total: gets }), atMs),
    );
  };
  note(0, 500, 1_000);
  t.equal(share.share, undefined);
  note(60_000, 510, 2_000);
  t.equal(share.share, 0.01);
  for (let minute = 2; minute <= 7; minute += 1) note(minute * 60_000, 510, minute * 1_000 + 1_000);
  t.equal(share.share, 0, 'what was before is forgotten');
  note(480_000, 0, 0);
  note(500_000, 5, 10);
  t.equal(share.share, 0.5, 'a restart begins anew');
  t.end();
});

t.test('samples are some seconds apart, and the oldest go', (t) => {
  const ring = new SampleRing(3);
  const nodes = [
    nodeSaying('a', { figures: { readsPerSecond: 12.3456 } }),
    { ...nodeSaying('b'), answersBy: undefined },
  ];
  t.match(ring.add(0, nodes), { nodes: { a: { reads: 12.35, writes: null }, b: { reads: null } } });
  t.equal(ring.add(2_000, nodes), undefined);
  for (const atMs of [5_000, 10_000, 15_000]) ring.add(atMs, nodes);
  t.same(
    ring.history(15_000).samples.map(({ atMs }) => atMs),
    [5_000, 10_000, 15_000],
  );
  t.same(
    ring.history(909_000).samples.map(({ atMs }) => atMs),
    [10_000, 15_000],
    'nor what is too old',
  );
  t.end();
});
