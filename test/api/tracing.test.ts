/** Traces of requests through three nodes, as a collector gets them. */

import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { RpbGetReq } from '../../src/api/pbc/messages/get-messages.ts';
import type { Host } from '../../src/base/host.ts';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import type { NodeId } from '../../src/base/names.ts';
import { NodeTracing } from '../../src/cli/node-tracing.ts';
import type { TracingConfig } from '../../src/config/cluster-config.ts';
import { KeyFingerprint } from '../../src/node/key-fingerprint.ts';
import { OtlpSender } from '../../src/telemetry/otlp-sender.ts';
import { systemHost } from '../../src/telemetry/system-host.ts';
import { ask } from './http/served.ts';
import { OtlpReceiver, type ReceivedSpan } from './otlp-receiver.ts';
import { BareClient, name } from './pbc/served.ts';
import { serveCluster, type ServedCluster } from './served-cluster.ts';

const NODES = ['dev1@127.0.0.1', 'dev2@127.0.0.1', 'dev3@127.0.0.1'];
const TEXT = { 'content-type': 'text/plain' };
const CALLER = '00f067aa0ba902b7';
const INTERNAL = 1;
const SERVER = 2;
const CLIENT = 3;

interface Traced {
  readonly cluster: ServedCluster;
  readonly receiver: OtlpReceiver;
  readonly fingerprint: KeyFingerprint;
  /** Stops to trace; what was recorded is with the receiver then. */
  readonly flush: () => Promise<unknown>;
}

async function traced(test: Test, options: Partial<TracingConfig>): Promise<Traced> {
  const receiver = new OtlpReceiver();
  const endpoint = await receiver.listen();
  const silent = (): void => {};
  const host: Host = systemHost(
    { debug: silent, info: silent, warn: silent, error: silent },
    { count: silent, gauge: silent, observe: silent },
  );
  const fingerprint = new KeyFingerprint(host.random);
  const config = { ratio: 1, slowMs: 0, followsClients: true, headersFile: undefined, ...options };
  const tracings = await Promise.all(
    NODES.map((node) => {
      const about = { config: { clusterName: 'test' }, self: { name: node as NodeId }, host };
      return NodeTracing.start(about, { endpoint, ...config }, fingerprint);
    }),
  );
  const tracers = tracings.map(({ tracer }) => tracer);
  const cluster = await serveCluster({ tracers, hasTypes: false });
  test.teardown(() => Promise.all([cluster.close(), receiver.close()]));
  const flush = () => Promise.all(tracings.map((tracing) => tracing.close()));
  return { cluster, receiver, fingerprint, flush };
}

/** A trace of a client, and the header that names it. */
function newTrace(flags = '01') {
  const traceId = randomBytes(16).toString('hex');
  return { traceId, headers: { ...TEXT, traceparent: `00-${traceId}-${CALLER}-${flags}` } };
}

function tree(spans: readonly ReceivedSpan[], parentSpanId: string | undefined): unknown[] {
  return spans
    .filter((span) => span.parentSpanId === parentSpanId)
    .map((span) => {
      const below = tree(spans, span.spanId);
      return below.length === 0 ? span.name : [span.name, ...below];
    })
    .sort((left, right) => String(left).localeCompare(String(right)));
}

const REPLICA_WRITE = ['replica merge', 'store read', 'store write'];

t.test(
  'each request is one trace, through the coordinator to every replica and its store',
  async (t) => {
    const { cluster, receiver, fingerprint, flush } = await traced(t, {});
    const [port = 0] = cluster.ports;
    const [written, read, deleted, forwarded] = [newTrace(), newTrace(), newTrace(), newTrace()];
    const path = '/buckets/okafor/keys/9434765919';
    const sent = { headers: written.headers, body: 'Amara' };
    t.equal((await ask(port, `PUT ${path}`, sent)).status, 204);
    t.equal((await ask(port, `GET ${path}?r=3`, { headers: read.headers })).status, 200);
    t.equal((await ask(port, `DELETE ${path}`, { headers: deleted.headers })).status, 204);
    const malformed = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-0-01' };
    t.equal((await ask(port, `GET ${path}x`, { headers: malformed })).status, 404);

    const json = {
      'content-type': 'application/json',
      traceparent: newTrace('00').headers.traceparent,
    };
    await ask(port, 'PUT /buckets/single/props', { headers: json, body: '{"props":{"n_val":1}}' });
    const [first] = cluster.nodes;
    const far = Array.from({ length: 100 }, (_, index) => `far${index}`).find((each) => {
      const key = { type: name('default'), bucket: name('single'), key: utf8ToByteString(each) };
      return first?.preferenceList(key)?.[0]?.node === NODES[2];
    });
    const farPath = `/buckets/single/keys/${far}`;
    const farSent = { headers: forwarded.headers, body: 'value' };
    t.equal((await ask(port, `PUT ${farPath}`, farSent)).status, 204);

    const client = await BareClient.connect(cluster.pbcPorts[1] ?? 0);
    t.teardown(() => client.socket.destroy());
    await client.ask(RpbGetReq, { bucket: name('okafor'), key: name('nobody') });
    await flush();

    const spans = receiver.trace(written.traceId);
    t.same(tree(spans, CALLER), [
      [
        'PUT object',
        [
          'coordinate write',
          ['ask merge', REPLICA_WRITE],
          ['ask merge', REPLICA_WRITE],
          ['replica coordinate', 'store read', 'store write'],
        ],
      ],
    ]);
    const [root] = spans;
    t.match(root, {
      node: NODES[0],
      kind: SERVER,
      attributes: { 'http.response.status_code': 204 },
    });
    const key = { type: name('default'), bucket: name('okafor'), key: name('9434765919') };
    t.equal(root?.attributes['vertebra.key_fingerprint'], fingerprint.of(key));
    const merges = spans.filter((span) => span.name === 'replica merge');
    t.same(merges.map(({ node }) => node).sort(), NODES.slice(1));
    for (const merge of merges) {
      const asked = spans.find(({ spanId }) => spanId === merge.parentSpanId);
      t.match(asked, { kind: CLIENT, node: NODES[0], attributes: { 'vertebra.peer': merge.node } });
      t.equal(merge.kind, SERVER);
    }
    t.equal(spans.find((span) => span.name === 'store write')?.kind, INTERNAL);
    for (const span of spans) {
      t.ok(span.endNanos >= span.startNanos);
      t.not(span.status.code, 2);
    }

    t.match(tree(receiver.trace(read.traceId), CALLER), [
      [
        'GET object',
        ['coordinate read', ['ask get', /replica get/], ['ask get', /replica get/], /replica get/],
      ],
    ]);
    t.match(tree(receiver.trace(deleted.traceId), CALLER), [
      ['DELETE object', [/^coordinate read/], [/^coordinate write/]],
    ]);
    t.match(tree(receiver.trace(forwarded.traceId), CALLER), [
      [
        'PUT object',
        [
          'ask put',
          [
            'replica put',
            ['coordinate write', ['replica coordinate', 'store read', 'store write']],
          ],
        ],
      ],
    ]);
    const unnamed = receiver.spans.filter(
      (span) => span.attributes['http.response.status_code'] === 404,
    );
    t.match(unnamed, [{ name: 'GET object', parentSpanId: undefined }]);
    t.not(unnamed[0]?.traceId, malformed.traceparent.slice(3, 35));
    const [overPbc] = receiver.spans.filter((span) => span.name === 'RpbGetReq');
    t.match(overPbc, {
      node: NODES[1],
      parentSpanId: undefined,
      attributes: { 'vertebra.api': 'pbc' },
    });
    t.match(tree(receiver.trace(overPbc?.traceId ?? ''), undefined), [
      ['RpbGetReq', /^coordinate/],
    ]);
    t.notMatch(receiver.text, /okafor|9434765919|Amara|single|far\d/, 'no name and no value');
    t.same(cluster.bugs, []);
  },
);

t.test('with a ratio of 0 what failed is there, and nothing else', async (t) => {
  const { cluster, receiver, flush } = await traced(t, { ratio: 0 });
  const [port = 0] = cluster.ports;
  await ask(port, 'PUT /buckets/b/keys/k', { headers: TEXT, body: 'value' });
  await ask(port, 'GET /buckets/b/keys/none');
  await ask(port, 'GET /buckets/b/keys/k?r=9');
  await Promise.all(cluster.nodes.slice(1).map((node) => node.stop()));
  const failed = newTrace('00');
  const answer = await ask(port, 'GET /buckets/b/keys/k?pr=3', { headers: failed.headers });
  t.equal(answer.status, 503);
  await flush();
  t.same(receiver.spans.length, receiver.trace(failed.traceId).length);
  const [root, ...below] = receiver.trace(failed.traceId);
  t.match(root, { name: 'GET object', parentSpanId: CALLER, status: { code: 2, message: '503' } });
  t.match(root?.attributes, { 'vertebra.kept': 'failed', 'error.type': '503' });
  t.match(below[0], { name: 'coordinate read', status: { message: 'unsatisfied' } });
  t.ok(
    below.filter(({ name: each, status }) => each === 'ask get' && status.code === 2).length >= 1,
  );
});

t.test('with a ratio of 0 what was slow is there, at each node that found it slow', async (t) => {
  const headersFile = join(tmpdir(), `vertebra-headers-${process.pid}`);
  writeFileSync(headersFile, 'Authorization: Bearer token of a test\n\nX-Scope: a\n');
  t.teardown(() => rmSync(headersFile));
  const { cluster, receiver, flush } = await traced(t, { ratio: 0, slowMs: 1e-9, headersFile });
  const [port = 0] = cluster.ports;
  const slow = newTrace('00');
  await ask(port, 'PUT /buckets/b/keys/k', { headers: slow.headers, body: 'value' });
  await flush();
  const spans = receiver.trace(slow.traceId);
  const roots = spans.filter(({ attributes }) => attributes['vertebra.kept'] === 'slow');
  const names = roots.map((span) => span.name).sort();
  t.same(names, ['PUT object', 'replica merge', 'replica merge']);
  t.match(receiver.headers[0], { authorization: 'Bearer token of a test', 'x-scope': 'a' });
});

t.test('a receiver that is away or refuses changes nothing for clients', async (t) => {
  const { cluster, receiver, flush } = await traced(t, {});
  receiver.status = 400;
  const [port = 0] = cluster.ports;
  await ask(port, 'PUT /buckets/b/keys/k', { headers: TEXT, body: 'value' });
  await flush();
  t.ok(receiver.headers.length >= 1);
  t.equal((await ask(port, 'GET /buckets/b/keys/k')).status, 200, 'after the end of tracing, too');
  t.same(receiver.spans, []);
  t.same(cluster.bugs, []);
});

t.test('a batch for a receiver that is not there is given up with a reason', async (t) => {
  const receiver = new OtlpReceiver();
  const endpoint = await receiver.listen();
  await receiver.close();
  const sender = new OtlpSender({
    endpoint,
    headers: () => Promise.resolve({}),
    // No time is left for another try.
    timeoutMs: 100,
    resource: {},
    release: '0',
    fingerprint: () => '',
  });
  t.match(await sender.send([]), /ECONNREFUSED/);
  sender.close();
});

t.test('a file of headers that cannot be read is told without its text', async (t) => {
  const about = {
    config: { clusterName: 'test' },
    self: { name: NODES[0] as NodeId },
    host: {} as Host,
  };
  const options = { endpoint: 'http://127.0.0.1:1/', ratio: 1, slowMs: 0, followsClients: true };
  const headersFile = join(tmpdir(), `vertebra-headers-${process.pid}-wrong`);
  const start = () => {
    return NodeTracing.start(about, { ...options, headersFile }, {} as KeyFingerprint);
  };
  await t.rejects(start(), { code: 'config', message: /cannot be read/ });
  writeFileSync(headersFile, 'A: b\nsecret token\n');
  t.teardown(() => rmSync(headersFile));
  await t.rejects(start(), {
    code: 'config',
    message: 'line 2 of tracing.headers_file is not NAME: VALUE',
  });
});
