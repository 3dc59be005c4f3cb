/**
 * A run whose cluster is cut in two, grows, and has a full and a slow disk loses nothing; what the machine does
 * not allow is refused before anything is started.
 */

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { DiskThrottle } from '../../bench/machine/disk-throttle.ts';
import { Hosts } from '../../bench/machine/hosts.ts';
import { SmallDisk } from '../../bench/machine/small-disk.ts';
import { ENTRY_POINT, freeBasePort } from './local-cluster.ts';
import type { RunResult } from '../../bench/report/result.ts';

const WORKLOAD = `
workload: faults
clients: 8
buckets: { one: { bucket: things } }
keys: { keys: { kind: shared, bucket: one, count: 100 } }
values: { value: { kind: fixed, size: 1KiB } }
operations:
  read: { op: get, keys: keys }
  update: { op: update, keys: keys, value: value }
warm_up: { operations: 20 }
settle: 0s
steady: { at_most: 0s }
measure: [{ loop: closed, duration: 1s }]
fault:
  loop: open
  rate: 20/s
  duration: 6s
  events:
`;

const EVENTS = {
  join: ['{ at: 0s, do: join, node: 5 }'],
  partition: ['{ at: 1s, do: partition, node: 2, for: 2s }'],
  full_disk: ['{ at: 1s, do: full_disk, node: 3, for: 2s, disk_size: 128MiB }'],
  slow_disk: ['{ at: 1s, do: slow_disk, node: 4, for: 2s }'],
};
type Name = keyof typeof EVENTS;

function possible(folder: string): Record<Name, boolean> {
  const hosts = Hosts.create(1);
  const disk = SmallDisk.mount(join(folder, 'mount'), 1);
  const throttle = DiskThrottle.open(tmpdir(), 'possible');
  if (hosts instanceof Hosts) hosts.close();
  disk?.unmount();
  throttle?.close();
  return {
    join: true,
    partition: hosts instanceof Hosts,
    full_disk: disk !== undefined,
    slow_disk: throttle !== undefined,
  };
}

t.test(
  'a cluster that is cut, grows, and whose disks fill up and slow down loses nothing',
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'vertebra-bench-test-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const can = possible(folder);
    const names = Object.keys(EVENTS) as Name[];
    const run = async (events: readonly string[]) => {
      const workload = join(folder, 'faults.yml');
      writeFileSync(workload, `${WORKLOAD}${events.map((event) => `    - ${event}\n`).join('')}`);
      const basePort = String(await freeBasePort(5));
      const options = ['--start', '4', '--base-port', basePort, '--out', folder];
      // Without the namespaces that a user may have: they are tried by hand.
      const env = { ...process.env, VERTEBRA_BENCH_IN_NAMESPACE: '1' };
      const command = [ENTRY_POINT, 'bench', 'run', workload, ...options];
      return promisify(execFile)(process.execPath, command, { env });
    };
    for (const name of names.filter((one) => !can[one])) {
      const message = new RegExp(`${name} is not possible here`);
      await t.rejects(run(EVENTS[name]), { message }, `${name} is refused here`);
    }
    const { stdout } = await run(names.flatMap((name) => (can[name] ? EVENTS[name] : [])));
    t.match(stdout, /0 of \d+ acknowledged writes lost, 0 unknown/);
    const result = JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8')) as RunResult;
    const marks = result.marks.map(({ label }) => label.replace(/@[\d.]+/, ''));
    t.ok(marks.includes('join dev5'));
    t.ok(
      marks.includes('dev5 has joined') || marks.includes('dev5 is still taking over'),
      marks.join(', '),
    );
    const told: Readonly<Record<Exclude<Name, 'join'>, readonly string[]>> = {
      partition: ['dev2 is cut off from the others', 'dev2 reaches the others again'],
      full_disk: ['the disk of dev3 is full', 'the disk of dev3 has room again'],
      slow_disk: ['the disk of dev4 takes 256 KiB/s', 'the disk of dev4 is as fast as before'],
    };
    for (const [name, labels] of Object.entries(told)) {
      if (!can[name as Name]) continue;
      t.same(
        marks.filter((label) => labels.includes(label)),
        labels,
        name,
      );
    }
    const page = readFileSync(join(folder, 'report.html'), 'utf8');
    t.match(page, /join dev5/, 'the plots show it');
  },
);
