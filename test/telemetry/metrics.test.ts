/** Metrics: what is counted is shown, for the last minute and in total, in both formats. */

import t from 'tap';
import type { Clock } from '../../src/base/host.ts';
import { MetricsRegistry, SERIES_REFUSED } from '../../src/telemetry/metrics-registry.ts';
import { snapshotToOpenMetrics, snapshotToRiakStats } from '../../src/telemetry/metrics-text.ts';
import { parseOpenMetrics } from './open-metrics.ts';

/** A clock with one timer, moved by hand. */
function steppedClock(): Clock & { step(): void } {
  let next: (() => void) | undefined;
  return {
    wallMicros: () => 0,
    monotonicMs: () => 0,
    after: (_delayMs, run) => {
      next = run;
      return () => {
        next = undefined;
      };
    },
    step: () => next?.(),
  };
}

t.test('a counter shows the last minute and the total', (t) => {
  const clock = steppedClock();
  const metrics = new MetricsRegistry(clock);
  metrics.count('node_gets');
  metrics.count('node_gets', 4);
  t.same(metrics.snapshot().counters.get('node_gets'), { recent: 5, total: 5 });
  for (let slice = 0; slice < 6; slice += 1) clock.step();
  metrics.count('node_gets', 2);
  t.same(metrics.snapshot().counters.get('node_gets'), { recent: 7, total: 7 });
  for (let slice = 0; slice < 6; slice += 1) clock.step();
  t.same(metrics.snapshot().counters.get('node_gets'), { recent: 2, total: 7 });
  for (let slice = 0; slice < 6; slice += 1) clock.step();
  t.same(metrics.snapshot().counters.get('node_gets'), { recent: 0, total: 7 });
  t.end();
});

t.test('a closed registry no longer moves on', (t) => {
  const clock = steppedClock();
  const metrics = new MetricsRegistry(clock);
  metrics.count('x');
  metrics.close();
  for (let slice = 0; slice < 20; slice += 1) clock.step();
  t.same(metrics.snapshot().counters.get('x'), { recent: 1, total: 1 });
  t.end();
});

t.test('names past the bound are refused and counted', (t) => {
  const metrics = new MetricsRegistry(steppedClock(), { seriesMax: 3 });
  metrics.count('a');
  metrics.gauge('b', 1);
  metrics.observe('c', 1);
  metrics.gauge('d', 1);
  metrics.gauge('b', 2);
  const snapshot = metrics.snapshot();
  t.notOk(snapshot.histograms.has('c'));
  t.notOk(snapshot.gauges.has('d'));
  t.equal(snapshot.gauges.get('b'), 2);
  t.equal(snapshot.counters.get(SERIES_REFUSED)?.total, 2);
  t.end();
});

t.test('one name used as two kinds is a bug', (t) => {
  const metrics = new MetricsRegistry(steppedClock());
  metrics.count('a');
  t.throws(() => metrics.gauge('a', 1), /two kinds/);
  t.end();
});

t.test('gauges that are dear are collected at each snapshot', (t) => {
  const metrics = new MetricsRegistry(steppedClock());
  let value = 0;
  metrics.beforeSnapshot(() => {
    value += 1;
    metrics.gauge('depth', value);
  });
  t.equal(metrics.snapshot().gauges.get('depth'), 1);
  t.equal(metrics.snapshot().gauges.get('depth'), 2);
  t.end();
});

t.test('OpenMetrics: each family once, labels kept, an end mark', (t) => {
  const metrics = new MetricsRegistry(steppedClock());
  metrics.count('node_gets', 3);
  metrics.count('peer_requests{peer="dev2@127.0.0.1"}', 1);
  metrics.count('peer_requests{peer="dev3@127.0.0.1"}', 2);
  metrics.gauge('peer_in_flight', 5);
  metrics.observe('node_get_us', 100);
  metrics.observe('node_get_us', 300);
  t.same(snapshotToOpenMetrics(metrics.snapshot()).split('\n'), [
    '# HELP vertebra_metrics_series_refused Values without a place because there were too many series',
    '# TYPE vertebra_metrics_series_refused counter',
    'vertebra_metrics_series_refused_total 0',
    '# HELP vertebra_node_gets Reads coordinated',
    '# TYPE vertebra_node_gets counter',
    'vertebra_node_gets_total 3',
    '# TYPE vertebra_peer_requests counter',
    'vertebra_peer_requests_total{peer="dev2@127.0.0.1"} 1',
    'vertebra_peer_requests_total{peer="dev3@127.0.0.1"} 2',
    '# TYPE vertebra_peer_in_flight gauge',
    'vertebra_peer_in_flight 5',
    '# TYPE vertebra_node_get_us summary',
    'vertebra_node_get_us{quantile="0.5"} 100.5',
    'vertebra_node_get_us{quantile="0.95"} 299.5',
    'vertebra_node_get_us{quantile="0.99"} 299.5',
    'vertebra_node_get_us{quantile="1.0"} 300',
    'vertebra_node_get_us_count 2',
    'vertebra_node_get_us_sum 400',
    '# EOF',
    '',
  ]);
  t.end();
});

t.test('OpenMetrics: a name that says it is a total says so once', (t) => {
  const metrics = new MetricsRegistry(steppedClock());
  metrics.count('store_reads_total', 2);
  const families = parseOpenMetrics(snapshotToOpenMetrics(metrics.snapshot()));
  t.match(families.get('vertebra_store_reads'), {
    type: 'counter',
    help: 'Keys read on another thread',
    samples: [{ name: 'vertebra_store_reads_total', value: 2 }],
  });
  t.end();
});

t.test('Riak names: counters with their total, histograms with five numbers', (t) => {
  const metrics = new MetricsRegistry(steppedClock());
  metrics.count('node_gets', 3);
  metrics.gauge('pbc_active', 2);
  metrics.observe('node_get_fsm_time', 40);
  metrics.count('store_reads_total', 5);
  metrics.count('peer_requests{peer="a"}');
  t.same(snapshotToRiakStats(metrics.snapshot()), {
    metrics_series_refused: 0,
    metrics_series_refused_total: 0,
    node_gets: 3,
    node_gets_total: 3,
    store_reads_total: 5,
    pbc_active: 2,
    node_get_fsm_time_mean: 40,
    node_get_fsm_time_median: 40,
    node_get_fsm_time_95: 40,
    node_get_fsm_time_99: 40,
    node_get_fsm_time_100: 40,
  });
  t.end();
});

t.test('a gauge for each of many drops those that are gone', (t) => {
  const metrics = new MetricsRegistry(steppedClock());
  metrics.gauge('peers', 1);
  metrics.gaugeEach(
    'peer',
    'name',
    new Map([
      ['a"\\', 1],
      ['b', 2],
    ]),
  );
  metrics.gaugeEach('peer', 'name', new Map([['a"\\', 3]]));
  t.same(
    [...metrics.snapshot().gauges],
    [
      ['peers', 1],
      ['peer{name="a\\"\\\\"}', 3],
    ],
  );
  t.end();
});
