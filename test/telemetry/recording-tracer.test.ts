/** Which spans are kept, and what they say of each other. */

import t from 'tap';
import type { Host } from '../../src/base/host.ts';
import { decodeTraceparent } from '../../src/base/traceparent.ts';
import {
  RecordingTracer,
  type RecordedSpan,
  type TracerOptions,
} from '../../src/telemetry/recording-tracer.ts';
import { SystemRandom } from '../../src/telemetry/system-host.ts';

const PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7';

class Recording {
  nowMs = 0;
  readonly spans: RecordedSpan[] = [];
  readonly counts = new Map<string, number>();
  readonly tracer: RecordingTracer;

  constructor(options: Partial<TracerOptions> = {}) {
    const host: Host = {
      clock: {
        wallMicros: () => 1e15 + this.nowMs * 1_000,
        monotonicMs: () => this.nowMs,
        after: () => () => {},
      },
      random: new SystemRandom(),
      log: { debug() {}, info() {}, warn() {}, error() {} },
      metrics: {
        count: (name, by = 1) => void this.counts.set(name, (this.counts.get(name) ?? 0) + by),
        gauge() {},
        observe() {},
      },
    };
    const all = { ratio: 0, slowMs: 100, followsClients: true, ...options };
    this.tracer = new RecordingTracer(host, (span) => this.spans.push(span), all);
  }

  get names(): string[] {
    return this.spans.map(({ name }) => name);
  }

  /** A request of so long, with one child. */
  serve(tookMs: number, failure?: string, waitedMs = 0): void {
    const span = this.tracer.request('request', undefined);
    span.child('child').end();
    this.nowMs += tookMs;
    span.end(failure, waitedMs);
  }
}

t.test('what was not chosen is kept if it failed or was slow, and forgotten otherwise', (t) => {
  const recording = new Recording();
  recording.serve(99);
  t.same(recording.names, []);
  recording.serve(100);
  t.same(recording.names, ['child', 'request']);
  t.same(recording.spans[1]?.attributes, [['vertebra.kept', 'slow']]);
  recording.serve(1, 'timeout');
  t.same(recording.names.slice(2), ['child', 'request']);
  t.same(recording.spans[3]?.attributes, [['vertebra.kept', 'failed']]);
  recording.serve(500, undefined, 450);
  t.equal(recording.spans.length, 4, 'waiting for the client is not being slow');
  t.end();
});

t.test('without a threshold nothing is slow', (t) => {
  const recording = new Recording({ slowMs: 0 });
  recording.serve(1e9);
  t.same(recording.names, []);
  t.end();
});

t.test('the ratio is the share that is chosen', (t) => {
  for (const [ratio, least, most] of [
    [0, 0, 0],
    [0.1, 400, 1_600],
    [1, 10_000, 10_000],
  ] as const) {
    const recording = new Recording({ ratio });
    for (let index = 0; index < 10_000; index += 1) recording.tracer.request('', undefined).end();
    t.ok(recording.spans.length >= least && recording.spans.length <= most, `${ratio}`);
  }
  t.end();
});

t.test('a client names the trace, and chooses it where that is wished', (t) => {
  const chosen = (tracer: RecordingTracer, flags: string) => {
    return tracer.request('request', `${PARENT}-${flags}`);
  };
  const follows = new Recording({ ratio: 1 });
  t.match(chosen(follows.tracer, '01'), { traceId: PARENT.slice(3, 35), isSampled: true });
  t.equal(chosen(follows.tracer, '00').isSampled, false);
  const draws = new Recording({ ratio: 0, followsClients: false });
  t.match(chosen(draws.tracer, '01'), { traceId: PARENT.slice(3, 35), isSampled: false });
  const malformed = follows.tracer.request('request', `${PARENT}-0`) as RecordedSpan;
  t.not(malformed.traceId, PARENT.slice(3, 35));
  t.equal(malformed.parentSpanId, undefined);
  t.end();
});

t.test('children name their parents, here and at another node', (t) => {
  const [here, there] = [new Recording({ ratio: 1 }), new Recording()];
  const root = here.tracer.request('request', `${PARENT}-01`) as RecordedSpan;
  const local = here.tracer.answer('replica', root) as RecordedSpan;
  const ask = here.tracer.ask('ask', root) as RecordedSpan;
  const { traceId, spanId, isSampled } = ask;
  const remote = there.tracer.answer('replica', { traceId, spanId, isSampled }) as RecordedSpan;
  const store = remote.child('store');
  t.equal(root.parentSpanId, PARENT.slice(36));
  t.same([local.parentSpanId, ask.parentSpanId], [root.spanId, root.spanId]);
  t.same([remote.parentSpanId, store.parentSpanId], [ask.spanId, remote.spanId]);
  const kinds = [root, local, ask, remote].map(({ kind }) => kind);
  t.same(kinds, ['server', 'internal', 'client', 'server']);
  const all = [root, local, ask, remote, store];
  t.equal(new Set(all.map((span) => span.spanId)).size, 5);
  for (const span of all) {
    t.ok(decodeTraceparent(`00-${span.traceId}-${span.spanId}-00`));
    t.equal(span.traceId, PARENT.slice(3, 35));
    span.end();
  }
  t.same(there.names, ['replica', 'store'], 'of a chosen trace every span leaves at once');
  t.end();
});

t.test('what ends after its request is kept or forgotten with it, and ends once', (t) => {
  const recording = new Recording();
  for (const failure of [undefined, 'overload']) {
    const request = recording.tracer.request('request', undefined);
    const late = request.child('late');
    request.end(failure);
    recording.nowMs += 5;
    late.end();
    late.end('again');
    request.end('again');
  }
  t.same(recording.names, ['request', 'late']);
  const [request, late] = recording.spans;
  t.equal((late?.endMicros ?? 0) - (request?.endMicros ?? 0), 5_000);
  t.equal(late?.failure, undefined);
  t.end();
});

t.test('a request of very many parts is cut, and so are failures of very many requests', (t) => {
  const recording = new Recording();
  const request = recording.tracer.request('request', undefined);
  for (let index = 0; index < 130; index += 1) request.child('part').end();
  request.end('error');
  t.equal(recording.spans.length, 129);
  t.equal(recording.counts.get('tracing_spans_cut_total'), 2);
  for (let index = 0; index < 59; index += 1) recording.serve(0, 'error');
  t.equal(recording.names.filter((name) => name === 'request').length, 50);
  t.equal(recording.counts.get('tracing_kept_refused_total'), 10);
  recording.nowMs += 1_000;
  recording.serve(0, 'error');
  t.equal(recording.names.filter((name) => name === 'request').length, 51, 'a second later');
  t.end();
});
