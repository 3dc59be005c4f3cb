/** The command line: what others script against, and what an operator reads when it goes wrong. */

import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { askNode } from '../../src/admin/admin-client.ts';
import { adminSocketPath } from '../../src/admin/admin-socket.ts';
import { ChildNode } from '../../src/cli/child-node.ts';
import { devConfigText } from '../../src/config/config-file.ts';
import { childrenOf, isAlive, RunningCommand, runCommand, type Ended } from './command-line.ts';
import { parseOpenMetrics } from '../telemetry/open-metrics.ts';
import { ENTRY_POINT, freeBasePort } from './local-cluster.ts';

const folder = mkdtempSync(join(tmpdir(), 'vertebra-test-'));
t.teardown(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** One sentence on stderr, nothing of a stack, and exit code 1. */
function refuses(t: Test, ended: Ended, why: RegExp): void {
  t.equal(ended.code, 1);
  t.match(ended.stderr, why);
  t.match(ended.stderr, /^vertebra: .+\n$/s);
  t.notMatch(ended.stderr, /\n\s+at /);
}

/** The dashboard's first snapshot has both nodes, over their admin sockets; it ends when it is asked to. */
async function showsCluster(t: Test, config: string): Promise<void> {
  const dashboard = new RunningCommand(['dashboard', '--config', config, '--port', '0']);
  t.teardown(() => dashboard.child.kill('SIGKILL'));
  const [url = ''] = /http:\S+/.exec(await dashboard.line('Ctrl-C ends it.')) ?? [];
  let text = '';
  for await (const chunk of (await fetch(`${url}events`)).body ?? []) {
    text += Buffer.from(chunk).toString();
    if (/^event: snapshot\ndata: .*\n\n/m.test(text)) break;
  }
  const [, snapshot = '{}'] = /^event: snapshot\ndata: (.*)$/m.exec(text) ?? [];
  const node = { answersBy: 'socket', status: 'valid', isReady: true, heardBy: 1 };
  t.match(JSON.parse(snapshot), { nodes: [node, node], ring: { owners: Array }, showsKeys: false });
  dashboard.child.kill('SIGTERM');
  t.equal((await dashboard.ended).code, 0);
}

/** Only where it is meant. */
async function erasesKey(
  t: Test,
  { admin, url }: { admin: (...words: string[]) => Promise<Ended>; url: string },
): Promise<void> {
  const patient = '9990000026';
  const key = new URL(patient, url);
  const headers = { 'Content-Type': 'text/plain' };
  t.equal((await fetch(key, { method: 'PUT', headers, body: 'Adeyemi' })).status, 204);
  const erase = (...options: string[]): Promise<Ended> =>
    admin('key', 'erase', 'default', 'patients', patient, ...options);
  t.match(await erase(), { code: 0, stdout: /7 bytes/, stderr: /^nothing was erased/ });
  t.equal((await fetch(key)).status, 200);
  t.match(await admin('--all', 'key', 'erase', 'default', 'patients', patient), { code: 2 });

  const erased = await erase('--yes', '--reason', 'case 26/7');
  t.match(erased, { code: 0, stdout: /^Erased: no member holds anything of the key\.$/m });
  t.equal((await fetch(key)).status, 404);
}

t.test('a cluster starts, serves, is administered, stops, and finds its data again', async (t) => {
  const basePort = await freeBasePort(2);
  const data = join(folder, 'dev');
  const types = join(folder, 'types.json');
  writeFileSync(types, '{"siblings": {"allow_mult": true}}');
  const parameters = ['dev', '--nodes', '2', '--base-port', `${basePort}`, '--data', data];
  const url = `http://127.0.0.1:${basePort + 18}/buckets/patients/keys/9990000018`;
  const config = join(data, 'cluster.yml');
  const admin = async (...words: string[]): Promise<Ended> =>
    runCommand('admin', '--config', config, ...words);

  const first = new RunningCommand([...parameters, '--bucket-types', types]);
  t.teardown(() => first.child.kill('SIGKILL'));
  const printed = await first.line('ready');
  t.match(printed, `127.0.0.1:${basePort + 27}`);
  const children = childrenOf(first.child.pid ?? 0);
  t.equal(children.length, 2);
  const headers = { 'Content-Type': 'text/plain' };
  t.equal((await fetch(url, { method: 'PUT', headers, body: 'Okafor' })).status, 204);

  const metrics = parseOpenMetrics((await admin('metrics')).stdout.trimEnd());
  const undescribed = [...metrics].filter(([, { help }]) => help === undefined);
  t.same(undescribed, [], 'each metric says what it is');
  t.match(metrics.get('vertebra_members_up'), { samples: [{ value: 2 }] });
  t.match(metrics.get('vertebra_process_cpu_seconds'), { samples: [{ value: Number }] });

  const status = await admin('status');
  t.match(JSON.parse(status.stdout), { isReady: true, members: [{ isUp: true }, { isUp: true }] });
  const all = await admin('status', '--all');
  t.match(all.stdout, /^dev1@127\.0\.0\.1 +yes +\d+ +2 of 2 .*\ndev2@127\.0\.0\.1 +yes /m);
  t.match((await admin('member-status')).stdout, 'Valid:2 / Leaving:0 / Exiting:0');
  const ready = await admin('ringready');
  t.equal(ready.stdout, "TRUE All nodes agree on the ring ['dev1@127.0.0.1','dev2@127.0.0.1']\n");
  t.equal(ready.code, 0);
  const located = await admin('key', 'locate', 'default', 'patients', '999%30000018', '--json');
  t.match(JSON.parse(located.stdout), { verdict: 'agree', key: '9990000018', copies: [{}, {}] });
  await erasesKey(t, { admin, url });
  t.match((await admin('slowlog', '--limit', '5')).stdout, /500 ms or 1048576 bytes/);
  const capacity = await admin('capacity', '--check', '--json');
  const bytes = { storeBytes: Number, diskFreeBytes: Number, memoryHeadroomBytes: Number };
  t.match(JSON.parse(capacity.stdout), {
    keys: 1,
    nVal: 3,
    nodes: [
      { node: 'dev1@127.0.0.1', isUp: true, keys: 1, ...bytes },
      { node: 'dev2@127.0.0.1', isUp: true, keys: 1, ...bytes },
    ],
    losses: [{ copies: 1, gains: [] }, { copies: 1 }],
  });
  t.equal(capacity.code, JSON.parse(capacity.stdout).warnings.length > 0 ? 1 : 0);
  t.match((await admin('capacity')).stdout, /2 of 2 nodes answered; about 1 keys, n_val 3/);
  t.equal((await admin('hints')).stdout, 'nothing is owed to any node\n');
  await showsCluster(t, config);
  t.match((await admin('repair', 'run', '--partition', '3')).stdout, 'partition 3 has begun');
  t.match(JSON.parse((await admin('repair', 'status')).stdout), { job: { state: /./ } });
  writeFileSync(config, `${readFileSync(config, 'utf8')}limits: { siblings: 50 }\n`);
  const diff = ['config', 'diff', config, '--node', 'dev1@127.0.0.1', '--check'];
  const differences = await runCommand(...diff);
  t.equal(differences.code, 1);
  t.match(differences.stdout, /^\* limits\.siblings +100 +50 +100$/m);
  t.match((await admin('bucket-type', 'list')).stdout, /^siblings \(active\)$/m);
  const created = await admin('bucket-type', 'create', 'pairs', '{"props":{"n_val":2}}');
  t.equal(created.stdout, 'pairs created\n');
  const onOther = (): Promise<Ended> => admin('--node', 'dev2@127.0.0.1', 'bucket-type', 'list');
  // The other node hears of it a moment later.
  const deadlineMs = performance.now() + 120_000;
  while (!/^pairs \(not active\)$/m.test((await onOther()).stdout)) {
    if (performance.now() > deadlineMs) throw new Error('the other node does not know the type');
  }
  t.equal((await admin('bucket-type', 'activate', 'pairs')).stdout, 'pairs has been activated\n');
  const shown = await admin('bucket-type', 'status', 'pairs');
  t.match(shown.stdout, /^pairs is active\n[^]*^n_val: 2$/m);
  refuses(
    t,
    await admin('bucket-type', 'activate', 'nosuch'),
    /nosuch is not an existing bucket type/,
  );

  const socket = adminSocketPath(join(data, 'dev1'));
  const ask = (command: string, options = {}) =>
    askNode(socket, { command, arguments: options }, 60_000);
  const forAMinute = ['set', 'debug', '--subsystem', 'membership', '--for', '1m'];
  const quieter = await admin('log', ...forAMinute);
  t.match(quieter.stdout, /^info, as configured\nbut\n  membership: debug for another (1m|59s) /);
  t.match((await admin('log', 'tail')).stdout, /"event":"node.log-level".*\n$/);
  refuses(t, await admin('log', 'set', 'loud'), /the level is one of debug, info/);
  t.match(await ask('hotkeys', { revealKeys: true }), { reads: { keys: Array } });
  const audit = (await ask('audit show')) as readonly Record<string, unknown>[];
  const recorded = audit.filter(({ event }) => event === 'command').map((each) => each['command']);
  t.match(recorded.slice(-5), [
    'bucket-type activate',
    'bucket-type activate',
    'log set',
    'log set',
    'hotkeys',
  ]);
  t.match(audit.at(-1), { event: 'command-ended', outcome: 'done' });
  t.match((await admin('audit', '--verify')).stdout, /^whole: \d+ lines in 1 files/);

  t.match(await admin('wait', '--settled', '--timeout', '1m'), { code: 0, stdout: '' });
  const slower = await admin('--all', 'rate', 'set', 'transfers', '4MiB', '--for', '1m');
  t.match(slower.stdout, /^dev2@127\.0\.0\.1 +transfers +4 MiB\/s +32 MiB\/s +(1m|59s)$/m);
  refuses(t, await admin('rate', 'set', 'transfers', '1KiB'), /the rate is from 64KiB to 10GiB/);
  t.match((await admin('rate', 'reset')).stdout, /^transfers +32 MiB\/s +32 MiB\/s *$/m);

  // What must not leave the machine: keys, values and passwords, wherever the node remembers them.
  const secretKey = url.replace('9990000018', '9990000026');
  const large = 'Nwosu'.repeat(300_000);
  t.equal((await fetch(secretKey, { method: 'PUT', headers, body: large })).status, 204);
  for (let i = 0; i < 300; i += 1) await fetch(url);
  await admin('security', 'add-user', 'ann', 'password=geheim');
  const bundle = join(folder, 'bundle.gz');
  const bundled = await admin('support-bundle', bundle);
  t.match(bundled, { code: 0, stdout: /bundle.gz: \d+ parts, / });
  t.notMatch(bundled.stdout, /missing/);
  const lines = gunzipSync(readFileSync(bundle)).toString();
  t.notMatch(lines, /9990000018|9990000026|Okafor|Nwosu|geheim/);
  const contents = new Map<string, unknown>(
    lines
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
      .map(({ part, node, content }) => [`${part} ${node}`, content]),
  );
  t.match(contents.get('slowlog dev1@127.0.0.1'), { entries: [{ keyFingerprint: /^\w{12}$/ }] });
  t.match(contents.get('hotkeys dev1@127.0.0.1'), { reads: { keys: [{ bucket: 'patients' }] } });
  t.match(
    JSON.stringify(contents.get('audit dev1@127.0.0.1')),
    /security add-user.*password=\*\*\*/,
  );
  t.match(contents.get('/metrics dev2@127.0.0.1'), /^vertebra_node_ready 1$/m);
  refuses(t, await admin('support-bundle', bundle), /bundle\.gz.*exist|EEXIST/);

  first.child.kill('SIGTERM');
  t.equal((await first.ended).code, 0);
  t.same(children.filter(isAlive), [], 'no child is left');
  refuses(t, await admin('status'), /the node is not running/);
  const post = await admin('support-bundle', join(folder, 'post.gz'), '--json');
  t.match(JSON.parse(post.stdout), {
    parts: ['about', 'config', 'diag', 'audit'],
    missing: [{ part: 'status of dev1@127.0.0.1', why: /not running/ }],
  });

  refuses(t, await runCommand(...parameters), /would be written over: run it with --config/);
  const again = new RunningCommand(['dev', '--config', config]);
  t.teardown(() => again.child.kill('SIGKILL'));
  await again.line('ready');
  t.equal(await (await fetch(url)).text(), 'Okafor');
  again.child.kill('SIGINT');
  t.equal((await again.ended).code, 0);

  const [other, ofFirst] = ['dev2@127.0.0.1', join(data, 'dev1')];
  const [swapped, recovered] = await Promise.all([
    runCommand('start', '--config', config, '--node', other, '--data', ofFirst),
    admin('cluster', 'recover', '--data', join(data, 'dev2'), '--survivors', 'dev1@127.0.0.1'),
  ]);
  refuses(
    t,
    swapped,
    /folder of dev2@127\.0\.0\.1 holds the store of dev1@127\.0\.0\.1: give each/,
  );
  refuses(t, recovered, /is the store of dev2@127\.0\.0\.1, which is not among the survivors/);
});

t.test('a port in use and a folder that is none are named', async (t) => {
  const basePort = await freeBasePort(1);
  const taken = createServer();
  await new Promise<void>((listening) => taken.listen(0, '127.0.0.1', listening));
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const path = join(folder, 'taken.yml');
  const text = devConfigText({ nodes: 1, basePort, dataDir: join(folder, 'taken') });
  writeFileSync(path, text.replace(`http_port: ${basePort + 18}`, `http_port: ${port}`));
  const node = ['--config', path, '--node', 'dev1@127.0.0.1'];
  const isTaken = new RegExp(`${port}`);
  const [dev, start] = await Promise.all([
    runCommand('dev', '--config', path),
    runCommand('start', ...node, '--data', join(folder, 'other')),
  ]);
  refuses(t, dev, new RegExp(`port ${port} \\(http_port of dev1@127.0.0.1, .*\\) is in use`));
  refuses(t, start, isTaken);

  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  const free = ['--base-port', `${basePort}`, '--nodes', '1'];
  const [devFolder, startFolder] = await Promise.all([
    runCommand('dev', ...free, '--data', file),
    runCommand('start', ...node, '--data', file),
  ]);
  refuses(t, devFolder, new RegExp(`the data folder ${file} cannot be used`));
  refuses(t, startFolder, new RegExp(file));
});

t.test('a bad configuration is refused with the name of what is wrong', async (t) => {
  const config = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const good = devConfigText({ nodes: 1, basePort: 30_000, dataDir: join(folder, 'never') });
  const unknownKey = config('unknown.yml', `${good}ring_sise: 64\n`);
  const badValue = config('value.yml', `${good}durability: maybe\n`);
  const fine = config('fine.yml', good);
  const [key, value, node, none, usage] = await Promise.all([
    runCommand('config', 'check', unknownKey),
    runCommand('dev', '--config', badValue),
    runCommand('start', '--config', fine, '--node', 'nobody@nowhere'),
    runCommand('start', '--config', join(folder, 'nosuch.yml'), '--node', 'x@y'),
    runCommand('dev', '--nodes', 'many'),
  ]);
  refuses(t, key, /ring_sise.*ring_size/s);
  refuses(t, value, /durability/);
  refuses(t, node, /nobody@nowhere/);
  refuses(t, none, /nosuch\.yml cannot be read/);
  t.equal(usage.code, 2, 'a command line that is wrong');
  t.match(usage.stderr, '--nodes');
});

t.test('a good configuration is checked, filled in and explained', async (t) => {
  const path = join(folder, 'good.yml');
  writeFileSync(path, devConfigText({ nodes: 3, basePort: 30_000, dataDir: folder }));
  const [check, effective, describe] = await Promise.all([
    runCommand('config', 'check', path),
    runCommand('config', 'effective', path),
    runCommand('config', 'describe'),
  ]);
  t.same([check.code, effective.code, describe.code], [0, 0, 0]);
  t.match(check.stdout, '3 nodes');
  t.match(describe.stdout, /^ring_size\s/m);
  const filled = join(folder, 'filled.yml');
  writeFileSync(filled, effective.stdout);
  t.match(readFileSync(filled, 'utf8'), 'durability: fsync');
  t.equal((await runCommand('config', 'check', filled)).code, 0);
});

t.test('a node that cannot start says why to its parent, and ends', async (t) => {
  const dataDir = join(folder, 'unreadable');
  // Tables without a manifest: damage.
  mkdirSync(join(dataDir, 'dev1', 'store'), { recursive: true });
  writeFileSync(join(dataDir, 'dev1', 'store', '000005.ldb'), '');
  const configPath = join(folder, 'unreadable.yml');
  writeFileSync(configPath, devConfigText({ nodes: 1, basePort: await freeBasePort(1), dataDir }));
  const name = 'dev1@127.0.0.1';
  const logPath = join(folder, 'unreadable.log');
  const child = new ChildNode({ name, configPath, entryPoint: ENTRY_POINT, logPath });
  t.teardown(() => child.kill('SIGKILL'));
  await t.rejects(child.ready(), { message: /is damaged \(CURRENT is missing\)/ });
  const late = AbortSignal.timeout(60_000);
  const lived = once(late, 'abort').then(() => 'still there');
  t.equal(await Promise.race([child.exited(), lived]), 1);
  t.match(readFileSync(logPath, 'utf8'), /^vertebra: .* is damaged/m);
});

t.test('a killed parent leaves no node behind', async (t) => {
  const basePort = await freeBasePort(1);
  const data = join(folder, 'orphan');
  mkdirSync(data);
  const dev = new RunningCommand([
    'dev',
    '--nodes',
    '1',
    '--base-port',
    `${basePort}`,
    '--data',
    data,
  ]);
  await dev.line('ready');
  const children = childrenOf(dev.child.pid ?? 0);
  t.equal(children.length, 1);
  dev.child.kill('SIGKILL');
  await dev.ended;
  const deadlineMs = performance.now() + 120_000;
  while (children.some(isAlive) && performance.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.same(children.filter(isAlive), []);
});

t.test('a node that is killed is named, with how it ended and where its log is', async (t) => {
  const basePort = await freeBasePort(1);
  const data = join(folder, 'killed');
  mkdirSync(data);
  const dev = new RunningCommand(`dev --nodes 1 --base-port ${basePort} --data ${data}`.split(' '));
  await dev.line('ready');
  const said = once(dev.child.stderr ?? dev.child, 'data', {
    signal: AbortSignal.timeout(120_000),
  });
  const [child = 0] = childrenOf(dev.child.pid ?? 0);
  process.kill(child, 'SIGKILL');
  await said;
  dev.child.kill('SIGTERM');
  const { stderr } = await dev.ended;
  t.match(
    stderr,
    /^vertebra: dev1@127\.0\.0\.1 has stopped by itself \(SIGKILL\); its log is .*dev1\/node\.log; the rest goes on$/m,
  );
});

t.test('a copy of a stopped node is a backup, and so is what a running one makes', async (t) => {
  const basePort = await freeBasePort(1);
  const [data, copy] = [join(folder, 'backed-up'), join(folder, 'copy')];
  const path = join(folder, 'backed-up.yml');
  const config = devConfigText({ nodes: 1, basePort, dataDir: data });
  writeFileSync(path, `${config}\ntimeouts: { drain: 10m }\n`);
  const node = 'dev1@127.0.0.1';
  const url = `http://127.0.0.1:${basePort + 18}`;
  const key = `${url}/buckets/patients/keys/k1`;
  const start = async (...more: string[]): Promise<RunningCommand> => {
    const running = new RunningCommand(['start', '--config', path, '--node', node, ...more]);
    t.teardown(() => running.child.kill('SIGKILL'));
    const deadlineMs = performance.now() + 60_000;
    while (!(await fetch(`${url}/readyz`).catch(() => undefined))?.ok) {
      if (performance.now() > deadlineMs) throw new Error('the node does not become ready');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return running;
  };
  const put = async (text: string, vclock?: string): Promise<void> => {
    const headers = { 'Content-Type': 'text/plain', ...(vclock && { 'X-Riak-Vclock': vclock }) };
    t.equal((await fetch(key, { method: 'PUT', headers, body: text })).status, 204);
  };
  // It serves on for those who have not looked yet, until it is told again.
  const stop = async (running: RunningCommand): Promise<void> => {
    running.child.kill('SIGTERM');
    let ready = await fetch(`${url}/readyz`);
    for (; ready.ok; ready = await fetch(`${url}/readyz`)) await ready.text();
    t.same([ready.status, await ready.text()], [503, 'the node is about to stop\n']);
    t.equal((await fetch(key)).status, 200);
    running.child.kill('SIGTERM');
    t.equal((await running.ended).code, 0);
  };

  const first = await start();
  await put('kept');
  await stop(first);
  cpSync(data, copy, { recursive: true });
  rmSync(data, { recursive: true });
  cpSync(copy, data, { recursive: true });

  const again = await start('--restored');
  const read = await fetch(key);
  t.equal(await read.text(), 'kept');
  await put('changed', read.headers.get('X-Riak-Vclock') ?? '');
  t.equal(await (await fetch(key)).text(), 'changed');
  const admin = async (...words: string[]): Promise<Ended> =>
    runCommand('admin', '--config', path, ...words);
  const actorCount = async (): Promise<number> => {
    const { stdout } = await admin('key', 'locate', 'default', 'patients', 'k1', '--json');
    return JSON.parse(stdout).copies[0].context.length;
  };
  t.equal(await actorCount(), 2, 'it writes as one that it has never been');

  const large = {
    method: 'PUT',
    headers: { 'Content-Type': 'text/plain' },
    body: 'x'.repeat(9999),
  };
  t.equal((await fetch(`${url}/buckets/patients/keys/k2`, large)).status, 204);
  const [base, backups] = [join(folder, 'live'), join(folder, 'cluster')];
  const created = await admin('backup', 'create', base);
  t.match(created, { code: 0, stdout: /^done: .*live, \d+ entries, / });
  const onBase = await admin('backup', 'create', join(folder, 'later'), '--base', base);
  t.match(onBase, { code: 0, stdout: /MiB copied, 0.0 MiB shared with the base in / });
  const all = await admin('--all', 'backup', 'create', backups);
  t.match(all, { code: 0, stdout: /^dev1@127.0.0.1 +done +20\d\d-.* MiB +0.0 MiB$/m });
  const backup = join(backups, node);
  await put('later', (await fetch(key)).headers.get('X-Riak-Vclock') ?? '');
  refuses(t, await admin('backup', 'create', base), /no backup was made: .* is there already/);
  await stop(again);
  t.match(await admin('backup', 'verify', base), { code: 0, stdout: /: sound, \d+ files/ });
  const verdict = await admin('backup', 'verify', backups);
  t.match(verdict, {
    code: 0,
    stdout: /^backup of the cluster dev at .*: sound\n[^]*@127.0.0.1 +sound/,
  });
  rmSync(data, { recursive: true });
  cpSync(backup, join(data, 'dev1'), { recursive: true });

  const last = await start();
  const found = await fetch(key);
  t.equal(await found.text(), 'changed', 'as it was at the moment of the backup');
  await put('changed again', found.headers.get('X-Riak-Vclock') ?? '');
  t.equal(await actorCount(), 3, 'without being told that it was restored');
  await stop(last);
});
