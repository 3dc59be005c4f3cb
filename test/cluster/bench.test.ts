/**
 * The load harness against real nodes: a short run with a node killed in its midst loses nothing.
 */

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { ENTRY_POINT, freeBasePort } from './local-cluster.ts';
import type { AddressInfo } from 'node:net';
import type { RunResult } from '../../bench/report/result.ts';

const WORKLOAD = `
workload: short
clients: 8
buckets:
  one: { bucket: things }
keys:
  keys: { kind: shared, bucket: one, count: 200 }
values:
  value: { kind: fixed, size: 1KiB }
operations:
  read: { op: get, keys: keys, weight: 2 }
  update: { op: update, keys: keys, value: value }
  find:
    op: query_api
    keys: keys
    request:
      query_list: [{ index_name: born_bin, start_term: '{birth_year}', end_term: '{birth_year}~' }]
warm_up: { operations: 50 }
settle: 0s
steady: { at_most: 2s, window: 100ms, windows: 2, within: 1 }
measure:
  - { loop: closed, duration: 1s }
fault:
  loop: open
  rate: 50/s
  duration: 2s
  events:
    - { at: 500ms, do: pause, node: 2, for: 500ms }
`;

t.test('a run with a paused node loses nothing and says so', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-bench-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const workload = join(folder, 'short.yml');
  writeFileSync(workload, WORKLOAD);
  const basePort = String(await freeBasePort(3));
  const options = ['--start', '3', '--processes', '2', '--base-port', basePort, '--out', folder];
  const command = [ENTRY_POINT, 'bench', 'run', workload, ...options];
  const { stdout } = await promisify(execFile)(process.execPath, command);
  t.match(stdout, /0 of \d+ acknowledged writes lost, 0 unknown/);
  t.match(stdout, /pause dev2@127\.0\.0\.1/);
  const result = JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8')) as RunResult;
  t.same(
    result.phases.map(({ name }) => name),
    ['load', 'warm-up', 'steady', 'closed', 'fault', 'verify'],
  );
  t.equal(result.phases[2]?.steady?.windows, 2, 'whether the rate was steady is told');
  t.ok((result.verdict?.acknowledged ?? 0) >= 200);
  t.equal(
    new Set(result.phases[3]?.series.map(({ node }) => node)).size,
    3,
    'every node was asked',
  );
  t.match(
    result.phases[3]?.eventLoops?.map(({ counts }) => counts[0]?.[0]),
    [0, 0, 0],
    'every node told how late its event loop was',
  );
  t.ok(result.phases[3]?.series.some(({ series, ok }) => series === 'find' && ok > 0));
  t.same(
    result.errors.filter(({ series }) => series === 'find'),
    [],
  );
  t.ok(result.resources.some(({ residentBytes }) => residentBytes > 0));
  t.same(
    result.marks.map(({ label }) => label),
    ['pause dev2@127.0.0.1', 'dev2@127.0.0.1 is back'],
  );
});

t.test('what a bucket keeps is asked once it is set, and not by each process', async (t) => {
  const asked: string[] = [];
  let isSet = false;
  const server = createServer((request, response) => {
    request.resume();
    const isOfProperties = request.url?.endsWith('/props') === true;
    if (isOfProperties) asked.push(`${request.method} ${isSet ? 'set' : 'unset'}`);
    if (isOfProperties && request.method === 'PUT') isSet = true;
    response.end(JSON.stringify({ props: { allow_mult: isSet } }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-bench-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const workload = join(folder, 'blind.yml');
  writeFileSync(
    workload,
    `
workload: blind
clients: 3
buckets:
  one: { bucket: things, properties: { allow_mult: true } }
keys:
  keys: { kind: shared, bucket: one, count: 3 }
values:
  value: { kind: fixed, size: 16B }
operations:
  write: { op: put, keys: keys, value: value }
settle: 0s
steady: { at_most: 0s }
measure: [{ loop: closed, duration: 1s }]
`,
  );
  const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const options = ['--target', target, '--processes', '3', '--no-verify', '--out', folder];
  const command = [ENTRY_POINT, 'bench', 'run', workload, ...options];
  await promisify(execFile)(process.execPath, command);
  t.same(asked, ['PUT unset', 'GET set']);
});

t.test('a run that is interrupted reports what it has measured', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-bench-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const workload = join(folder, 'long.yml');
  const [head = ''] = WORKLOAD.split('measure:');
  const loops = '[{ loop: closed, duration: 1s }, { loop: closed, duration: 1h }]';
  writeFileSync(workload, `${head}measure: ${loops}\n`);
  const options = ['--target', 'null', '--steady', '0s', '--out', folder];
  const command = [ENTRY_POINT, 'bench', 'run', workload, ...options];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let said = '';
  child.stdout.setEncoding('utf8');
  for await (const text of child.stdout as AsyncIterable<string>) {
    const isOverBefore = /^closed:/m.test(said);
    said += text;
    // The first loop is over, and the second would take an hour.
    if (!isOverBefore && /^closed:/m.test(said)) child.kill('SIGINT');
  }
  t.same(await exited, [1, null]);
  t.match(said, /broken off: the run was interrupted/);
  const result = JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8')) as RunResult;
  const [measured] = result.phases.filter(({ role }) => role === 'measure');
  t.ok((measured?.series[0]?.ok ?? 0) > 0);
  t.ok((measured?.endMs ?? 0) > (measured?.startMs ?? Infinity));
});
