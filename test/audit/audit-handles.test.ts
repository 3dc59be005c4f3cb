/** Whatever fails while the audit log changes files, no file stays open behind its back. */

import { appendFileSync, mkdirSync, readdirSync, readlinkSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AuditLog } from '../../src/audit/audit-log.ts';
import { systemHost } from '../../src/telemetry/system-host.ts';

const silent = (): void => {};

function world(t: Test, limits: { readonly fileMaxBytes: number; readonly filesMax: number }) {
  const folder = t.testdir({});
  const system = systemHost(
    { debug: silent, info: silent, warn: silent, error: silent },
    { count: silent, gauge: silent, observe: silent },
  );
  /** Whether whatever tells the time, as each line does, fails as a disk does. */
  const disk = { isFailing: false };
  const clock = {
    monotonicMs: () => system.clock.monotonicMs(),
    after: (delayMs: number, run: () => void) => system.clock.after(delayMs, run),
    wallMicros: () => {
      if (disk.isFailing) throw Object.assign(new Error('no room'), { code: 'EIO' });
      return system.clock.wallMicros();
    },
  };
  const audit = new AuditLog({ ...system, clock }, { folder, node: 'a@b', ...limits });
  t.teardown(() => audit.close());
  return { folder, audit, disk };
}

function openFilesIn(folder: string): number {
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return targets.filter((target) => target.startsWith(folder)).length;
}

const hasProc = process.platform === 'linux';
const EVENT = { event: 'command', command: 'cluster commit' };

t.test('a touched file that cannot be gone on with', { skip: !hasProc }, async (t) => {
  const { folder, audit, disk } = world(t, { fileMaxBytes: 1 << 20, filesMax: 3 });
  await audit.append(EVENT);
  t.equal(openFilesIn(folder), 1);
  appendFileSync(join(folder, 'audit.log'), 'somebody else\n');
  disk.isFailing = true;
  await t.rejects(audit.append(EVENT), { code: 'config' });
  t.equal(openFilesIn(folder), 0);
  disk.isFailing = false;
  await audit.append(EVENT);
  t.equal(openFilesIn(folder), 1);
});

t.test('a new file beside an old one that cannot go', { skip: !hasProc }, async (t) => {
  const { folder, audit } = world(t, { fileMaxBytes: 1, filesMax: 1 });
  await audit.append(EVENT);
  // Removing a file does not remove a folder.
  const stubborn = join(folder, 'audit.000000.log');
  mkdirSync(stubborn);
  for (let attempt = 0; attempt < 3; attempt += 1) {
    await t.rejects(audit.append(EVENT), { code: 'config' });
    t.equal(openFilesIn(folder), 0);
  }
  rmdirSync(stubborn);
  await audit.append(EVENT);
  t.equal(openFilesIn(folder), 1);
});
