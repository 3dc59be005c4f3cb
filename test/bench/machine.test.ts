/**
 * What faults take from the machine: hosts that can be kept apart, disks that fill up or are slow. Where the
 * machine gives no right to them, that is said.
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync } from 'node:fs';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { DiskThrottle } from '../../bench/machine/disk-throttle.ts';
import { Hosts } from '../../bench/machine/hosts.ts';
import { SmallDisk } from '../../bench/machine/small-disk.ts';
import { runInNamespace } from '../../bench/machine/user-namespace.ts';

const PORT = 7_000;
const ANSWER_TIMEOUT_MS = 500;
const DEADLINE_MS = 60_000;
const SERVE = `require('net').createServer((s) => s.end('here')).listen(${PORT}, () => console.log('up'))`;
/** Prints what the address says within the time, or nothing. */
const ASK = `
const socket = require('net').connect(${PORT}, process.argv[1]);
socket.on('data', (text) => { console.log(String(text)); socket.destroy(); });
socket.on('error', () => undefined);
setTimeout(() => socket.destroy(), ${ANSWER_TIMEOUT_MS}).unref();
`;

async function ask(prefix: readonly string[], address: string): Promise<string> {
  const [command, ...words] = [...prefix, process.execPath, '-e', ASK, address];
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'ignore'] });
  const exited = once(child, 'exit');
  let said = '';
  for await (const text of child.stdout) said += String(text);
  await exited;
  return said.trim();
}

t.test(
  'hosts that are kept apart lose what they send each other, and are reached from here',
  async (t) => {
    const hosts = Hosts.create(3);
    if (!(hosts instanceof Hosts)) {
      t.not(hosts.reason, '', 'no hosts on this machine');
      return;
    }
    const servers = hosts.addresses.map((_, index) => {
      const [command, ...words] = [...hosts.prefix(index), process.execPath, '-e', SERVE];
      return spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    });
    t.teardown(async () => {
      const ended = servers.map((server) => once(server, 'exit'));
      for (const server of servers) server.kill('SIGKILL');
      await Promise.all(ended);
      hosts.close();
    });
    await Promise.all(servers.map(({ stdout }) => once(stdout, 'data')));
    const [first = '', second = '', third = ''] = hosts.addresses;
    /** Whoever is awaited may be slow to answer, or the switch slow to learn where he is. */
    const reach = async (
      from: number | undefined,
      address: string,
      said: string,
    ): Promise<void> => {
      const prefix = from === undefined ? [] : hosts.prefix(from);
      const endMs = performance.now() + DEADLINE_MS;
      let heard = await ask(prefix, address);
      while (heard !== said && performance.now() < endMs) heard = await ask(prefix, address);
      t.equal(heard, said, `${from ?? 'this machine'} asks ${address}`);
    };
    await reach(1, first, 'here');
    hosts.setApart(0, true);
    await reach(1, first, '');
    await reach(0, second, '');
    await reach(1, third, 'here');
    await reach(undefined, first, 'here');
    hosts.setApart(2, true);
    await reach(0, third, 'here');
    hosts.setApart(0, false);
    hosts.setApart(2, false);
    await reach(1, first, 'here');
    await reach(0, third, 'here');
    await reach(undefined, first, 'here');
  },
);

t.test('a small disk is full while its ballast is there', async (t) => {
  const folder = join(t.testdir(), 'disk');
  const disk = SmallDisk.mount(folder, 4);
  if (disk === undefined) {
    t.not(process.getuid?.(), 0, 'who may not mount has none');
    return;
  }
  const free = (): number => {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  };
  try {
    disk.fill(64 * 1_024);
    t.ok(free() <= 64 * 1_024, `${free()} bytes`);
    disk.fill(1_024 * 1_024);
    t.throws(() => writeFileSync(join(folder, 'file'), Buffer.alloc(1_024 * 1_024)), {
      code: 'ENOSPC',
    });
    disk.free();
    t.ok(free() >= 2 * 1_024 * 1_024);
  } finally {
    disk.unmount();
  }
});

t.test('only what is on a disk can be slow', (t) => {
  t.equal(DiskThrottle.open('/proc', `test-proc-${process.pid}`), undefined);
  const throttle = DiskThrottle.open(t.testdir(), 'test');
  if (throttle !== undefined) {
    throttle.limit(1_048_576);
    throttle.limit(undefined);
    throttle.close();
  }
  t.equal(DiskThrottle.open('/nowhere', 'test'), undefined, 'and nothing is left of it');
  t.end();
});

t.test('what was taken from the machine is given back when a run ends at once', async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'vertebra-bench-test-'));
  t.teardown(() => rmSync(data, { recursive: true, force: true }));
  const event = { atMs: 0, forMs: 0, diskSize: 67_108_864 };
  const events = ['partition', 'full_disk'].map((action) => ({ ...event, action, node: 1 }));
  const options = { nodes: 1, basePort: 20_000, data, entryPoint: '', events };
  const own = pathToFileURL(join(import.meta.dirname, '../../bench/own-cluster.js')).href;
  const script = `
    const { OwnCluster } = await import(${JSON.stringify(own)});
    const { nodes: [{ host }] } = new OwnCluster(${JSON.stringify(options)});
    process.stdout.write(host);
    process.exit(3);
  `;
  const command = ['--input-type=module', '-e', script];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  const [host, refusal] = await Promise.all([child.stdout, child.stderr].map(textOf));
  const [code] = (await exited) as [number];
  if (code !== 3) {
    t.match(refusal, /is not possible here/);
    return;
  }
  t.notMatch(readFileSync('/proc/mounts', 'utf8'), data, 'no disk');
  const gateway = String(host).replace(/\d+$/, '254');
  const here = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  t.notOk(
    here.some(({ address }) => address === gateway),
    'no bridge',
  );
});

async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const piece of stream) text += String(piece);
  return text;
}

t.test(
  'who may not make hosts gets a namespace of his own, where the system has them',
  async (t) => {
    t.equal(await runInNamespace(false, ['false']), undefined, 'there is no need');
    const folder = mkdtempSync(join(tmpdir(), 'vertebra-bench-test-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    // It imports nothing but Node's own, and another user may not read where it was built.
    const module = join(folder, 'user-namespace.mjs');
    copyFileSync(join(import.meta.dirname, '../../bench/machine/user-namespace.js'), module);
    chmodSync(folder, 0o755);
    const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    const script = `
    const { runInNamespace } = await import(${JSON.stringify(module)});
    const code = await runInNamespace(true, ['sh', '-c', 'ip link add own type bridge && exit 7']);
    console.log('ended with', code);
  `;
    const command = ['--input-type=module', '-e', script];
    const own = ['--user', '--map-root-user', '--net', '--mount', 'sh', '-c'];
    const ready = 'ip link set lo up && mount -t tmpfs tmpfs /run';
    const isPossible = spawnSync('unshare', [...own, ready], { ...nobody, cwd: '/' }).status === 0;
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
    const child = spawn(process.execPath, command, { ...nobody, cwd: '/', stdio });
    const said = await textOf(child.stdout);
    t.equal(said.trim(), `ended with ${isPossible ? 7 : undefined}`);
    const here = Object.keys(networkInterfaces());
    t.notOk(here.includes('own'), 'and nobody else sees it');
  },
);
