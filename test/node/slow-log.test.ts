/** What the slow log keeps, what it says aloud, and what it never tells. */

import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Host } from '../../src/base/host.ts';
import { KeyFingerprint } from '../../src/node/key-fingerprint.ts';
import { SLOW_LOG_DEFAULTS, SlowLog, type ServedRequest } from '../../src/node/slow-log.ts';
import { SystemRandom } from '../../src/telemetry/system-host.ts';

const TARGET = {
  type: 'default' as ByteString,
  bucket: 'patients' as ByteString,
  key: '9990000018' as ByteString,
};

const QUICK: ServedRequest = {
  api: 'pbc',
  operation: 'RpbGetReq',
  target: TARGET,
  ms: 1,
  requestBytes: 30,
  replyBytes: 200,
  siblings: 1,
  outcome: 'ok',
};

function world(options: Partial<typeof SLOW_LOG_DEFAULTS> = {}) {
  const counts = new Map<string, number>();
  const lines: string[] = [];
  const time = { nowMs: 0 };
  const host: Host = {
    clock: {
      wallMicros: () => time.nowMs * 1_000,
      monotonicMs: () => time.nowMs,
      after: () => () => {},
    },
    random: new SystemRandom(),
    log: {
      debug() {},
      info() {},
      warn: (event, fields) => void lines.push(JSON.stringify({ event, ...fields })),
      error() {},
    },
    metrics: {
      count: (name, by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by),
      gauge() {},
      observe() {},
    },
  };
  const fingerprint = new KeyFingerprint(host.random);
  const slowLog = new SlowLog(host, fingerprint, { ...SLOW_LOG_DEFAULTS, ...options });
  return { slowLog, counts, lines, time, fingerprint };
}

t.test('a request is notable from each threshold on, and for all reasons it has', (t) => {
  const { slowLog, counts } = world({ slowMs: 500, largeBytes: 1_000, siblings: 10 });
  for (const served of [
    { ...QUICK, ms: 499.9, replyBytes: 999, requestBytes: 999, siblings: 9 },
    { ...QUICK, ms: 500 },
    { ...QUICK, requestBytes: 1_000 },
    { ...QUICK, replyBytes: 1_000 },
    { ...QUICK, siblings: 10 },
    { ...QUICK, ms: 600, replyBytes: 2_000, siblings: 99 },
  ]) {
    const { ms, requestBytes, replyBytes, siblings } = served;
    const before = slowLog.notedCount;
    slowLog.note(served);
    const isNotable = slowLog.isNotable(ms, Math.max(requestBytes, replyBytes), siblings);
    t.equal(slowLog.notedCount > before, isNotable);
  }
  t.same(
    slowLog.entries(10).map(({ notable }) => notable),
    [['slow', 'large', 'siblings'], ['siblings'], ['large'], ['large'], ['slow']],
  );
  t.equal(counts.get('requests_slow_total'), 2);
  t.equal(counts.get('requests_large_total'), 3);
  t.equal(counts.get('requests_siblings_total'), 2);
  t.end();
});

t.test('a threshold of 0 is off', (t) => {
  const { slowLog } = world({ slowMs: 0, largeBytes: 0, siblings: 0 });
  slowLog.note({ ...QUICK, ms: 1e6, replyBytes: 1e9, siblings: 1e4 });
  t.notOk(slowLog.isNotable(1e6, 1e9, 1e4));
  t.same(slowLog.entries(10), []);
  t.end();
});

t.test('the newest are kept, and told newest first', (t) => {
  const { slowLog } = world({ entriesMax: 3 });
  t.same(slowLog.entries(5), []);
  for (let ms = 501; ms <= 507; ms += 1) slowLog.note({ ...QUICK, ms });
  t.same(
    slowLog.entries(5).map(({ ms }) => ms),
    [507, 506, 505],
  );
  t.same(
    slowLog.entries(2).map(({ ms }) => ms),
    [507, 506],
  );
  t.equal(slowLog.notedCount, 7);
  t.end();
});

t.test('slow requests are written to the log, some in each interval and the rest counted', (t) => {
  const { slowLog, lines, time, counts } = world();
  for (let i = 0; i < 25; i += 1) slowLog.note({ ...QUICK, ms: 500 });
  slowLog.note({ ...QUICK, siblings: 50 });
  t.equal(lines.length, 10);
  t.equal(counts.get('slow_log_lines_dropped_total'), 15);
  time.nowMs += 10_000;
  slowLog.note({ ...QUICK, ms: 700 });
  t.equal(lines.length, 11);
  t.match(lines.at(-1), /"event":"request.slow".*"operation":"RpbGetReq".*"ms":700/);
  t.end();
});

t.test('a key is told as a fingerprint, alike in one process and unlike in two', (t) => {
  const { slowLog, lines, fingerprint } = world();
  slowLog.note({ ...QUICK, ms: 500 });
  slowLog.note({ ...QUICK, ms: 500 });
  slowLog.note({ ...QUICK, ms: 500, target: { ...TARGET, key: '9990000026' as ByteString } });
  const [other, second, first] = slowLog.entries(3);
  t.match(first?.keyFingerprint, /^[0-9a-f]{12}$/);
  t.equal(first?.keyFingerprint, second?.keyFingerprint);
  t.equal(first?.keyFingerprint, fingerprint.of(TARGET));
  t.not(first?.keyFingerprint, other?.keyFingerprint);
  t.not(first?.keyFingerprint, world().fingerprint.of(TARGET));
  t.match(lines[0], first?.keyFingerprint);
  t.notMatch(JSON.stringify([lines, slowLog.entries(3)]), /9990000/);
  t.notMatch(lines.join(''), /patients/, 'a log may travel further than the answer to an operator');
  t.end();
});

t.test('names of any length cost little, and a request without a key has none', (t) => {
  const { slowLog } = world();
  slowLog.note({ ...QUICK, ms: 500, target: { ...TARGET, key: 'x'.repeat(65_536) as ByteString } });
  slowLog.note({ ...QUICK, ms: 500, target: { type: TARGET.type, bucket: TARGET.bucket } });
  const [listing, long] = slowLog.entries(2);
  t.match(listing, { type: 'default', bucket: 'patients', keyFingerprint: undefined });
  t.match(long, { type: undefined, bucket: undefined, keyFingerprint: undefined });
  t.end();
});
