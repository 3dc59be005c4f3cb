/**
 * What faults take from the machine: hosts that can be kept apart, disks that fill up or are slow. Where the
 * machine gives no right to them, that is said.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { DiskThrottle } from '../../bench/machine/disk-throttle.ts';
import { Hosts } from '../../bench/machine/hosts.ts';
import { SmallDisk } from '../../bench/machine/small-disk.ts';

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
