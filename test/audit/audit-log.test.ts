/** The audit log on a real disk: kept, continued, changed for a new file, and held to its chain. */

import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { AuditLog } from '../../src/audit/audit-log.ts';
import { verifyAudit } from '../../src/audit/verify-audit.ts';
import { isFault } from '../../src/base/fault.ts';
import { systemHost } from '../../src/telemetry/system-host.ts';

function world(t: Test, options: { fileMaxBytes?: number; filesMax?: number } = {}) {
  const folder = t.testdir({});
  const counts = new Map<string, number>();
  const errors: string[] = [];
  const log = {
    debug() {},
    info() {},
    warn() {},
    error: (event: string) => void errors.push(event),
  };
  const host = systemHost(log, {
    count: (name, by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by),
    gauge: (name, value) => void counts.set(name, value),
    observe() {},
  });
  const open = () => {
    const limits = { fileMaxBytes: 1 << 20, filesMax: 16, ...options };
    const audit = new AuditLog(host, { folder, node: 'a@b', ...limits });
    t.teardown(() => audit.close());
    return audit;
  };
  const linesOf = (name = 'audit.log') => {
    return readFileSync(join(folder, name), 'utf8').trimEnd().split('\n');
  };
  return { folder, open, counts, errors, linesOf };
}

const EVENT = { event: 'command', command: 'cluster commit' };

t.test('what was appended is there, in order, in one chain over restarts', async (t) => {
  const { folder, open, linesOf, counts } = world(t);
  const first = open();
  await Promise.all([1, 2, 3].map((number) => first.append({ event: 'e', number })));
  await first.close();
  await t.rejects(first.append(EVENT), { code: 'closed' });
  const second = open();
  await second.append({ event: 'e', number: 4 });
  const entries = linesOf().map((line) => JSON.parse(line) as Record<string, unknown>);
  t.match(entries[0], { event: 'file-begun', number: 1, previous: '0'.repeat(64), node: 'a@b' });
  t.same(
    entries.slice(1).map(({ number }) => number),
    [1, 2, 3, 4],
  );
  t.equal(new Set(entries.map(({ previous }) => previous)).size, 5);
  t.match(await second.verify(), { isWhole: true, files: 1, lines: 5, problems: [] });
  t.match(await second.newest(2), [{ number: 3 }, { number: 4, time: /^20.*Z$/ }]);
  t.match(await verifyAudit(folder), { isWhole: true, lines: 5 });
  t.equal(statSync(join(folder, 'audit.log')).mode & 0o777, 0o600);
  t.equal(counts.get('audit_events_total'), 4);
});

t.test(
  'files are changed by size and kept by count, and the chain goes on through them',
  async (t) => {
    const { folder, open } = world(t, { fileMaxBytes: 1_000, filesMax: 4 });
    const first = open();
    for (let number = 0; number < 20; number += 1) await first.append({ event: 'e', number });
    await first.close();
    const second = open();
    for (let number = 20; number < 40; number += 1) await second.append({ event: 'e', number });
    const names = readdirSync(folder).sort();
    t.equal(names.length, 4);
    const full = /^audit\.0000\d\d\.log$/;
    t.match(names, [full, full, full, /^audit\.log$/]);
    for (const name of names) t.ok(statSync(join(folder, name)).size < 2_000);
    t.match(await second.verify(), { isWhole: true, files: 4, problems: [] });
    t.match(await second.newest(1), [{ number: 39 }]);
    rmSync(join(folder, names[1] ?? ''));
    t.match(await second.verify(), { isWhole: false, problems: [/files are missing/, /follow/] });
  },
);

t.test('any line that is changed, removed, moved or put in is found', async (t) => {
  const { folder, open, linesOf } = world(t);
  const audit = open();
  for (let number = 0; number < 8; number += 1) await audit.append({ event: 'e', number });
  await audit.close();
  const lines = linesOf();
  const last = (await verifyAudit(folder)).lastHash;
  const write = (changed: readonly string[]) => {
    writeFileSync(join(folder, 'audit.log'), changed.map((line) => `${line}\n`).join(''));
  };
  const index = fc.nat(lines.length - 1);
  const change = fc.oneof(
    fc.tuple(index, index).map(([at, from]) => {
      const line = (lines[at] ?? '').replace(
        /"time":"20/,
        from % 2 === 0 ? '"time":"19' : '"time": "20',
      );
      return lines.with(at, line);
    }),
    index.map((at) => lines.toSpliced(at, 1)),
    fc.tuple(index, index).map(([at, from]) => lines.toSpliced(at, 0, lines[from] ?? '')),
    fc
      .tuple(index, index)
      .filter(([left, right]) => left !== right)
      .map(([left, right]) => {
        return lines.with(left, lines[right] ?? '').with(right, lines[left] ?? '');
      }),
    fc.tuple(index, fc.nat(50)).map(([at, length]) => {
      return lines.with(at, (lines[at] ?? '').slice(0, length));
    }),
  );
  await fc.assert(
    fc.asyncProperty(change, async (changed) => {
      write(changed);
      return !(await verifyAudit(folder, last)).isWhole;
    }),
    { numRuns: 60 },
  );
  write(lines.slice(0, -1));
  t.match(await verifyAudit(folder), { isWhole: true }, 'only the last hash tells of a cut end');
  write(lines);
  t.match(await verifyAudit(folder, last), { isWhole: true, lastHash: last });
});

t.test('a line that a crash cut is taken off, and said', async (t) => {
  const { folder, open, linesOf } = world(t);
  const first = open();
  await first.append(EVENT);
  await first.close();
  appendFileSync(join(folder, 'audit.log'), '{"previous":"12');
  t.match(await verifyAudit(folder), { isWhole: false, problems: [/ends within line 3/] });
  const second = open();
  await second.append(EVENT);
  t.match(linesOf()[2], /"event":"torn-line-cut","bytes":15/);
  t.match(await second.verify(), { isWhole: true, lines: 4 });
  await second.close();
  writeFileSync(join(folder, 'audit.log'), '{"prev');
  const third = open();
  await third.append(EVENT);
  t.match(await third.verify(), { isWhole: true, lines: 2 });
});

t.test('a file that is changed under a running node is noticed at the next event', async (t) => {
  const { folder, open, linesOf, counts, errors } = world(t);
  const path = join(folder, 'audit.log');
  const audit = open();
  for (let number = 0; number < 3; number += 1) await audit.append({ event: 'e', number });
  // The last line is cut off, where the chain alone would not tell.
  writeFileSync(path, `${linesOf().slice(0, -1).join('\n')}\n`);
  t.match(await audit.verify(), {
    isWhole: false,
    problems: [/not the one that was written last/],
  });
  await audit.append(EVENT);
  t.equal(counts.get('audit_files_touched_total'), 1);
  t.same(errors, ['audit.file-touched']);
  t.match(linesOf().at(-2), /file-touched/);
  t.match(await audit.verify(), { isWhole: false, problems: [/line 4 .* does not follow/] });
  // And one that was replaced, or is gone.
  renameSync(path, join(folder, 'elsewhere'));
  await audit.append(EVENT);
  t.equal(counts.get('audit_files_touched_total'), 2);
  t.match(await audit.verify(), { isWhole: false, problems: [/line 1 .* does not follow/] });
});

t.test('what cannot be written is refused, and tried again with the next event', async (t) => {
  const { folder, open, counts, errors } = world(t);
  const path = join(folder, 'audit.log');
  mkdirSync(path);
  const audit = open();
  const refused = await audit.append(EVENT).catch((error: unknown) => error);
  t.ok(isFault(refused, 'config'));
  t.match(refused, { message: /the audit log cannot be written/ });
  t.equal(counts.get('audit_failing'), 1);
  t.equal(counts.get('audit_failures_total'), 1);
  t.same(errors, ['audit.failed']);
  rmSync(path, { recursive: true });
  await audit.append(EVENT);
  t.equal(counts.get('audit_failing'), 0);
  t.match(await audit.verify(), { isWhole: true, lines: 2 });
});

t.test('what waits is bounded, and so is a line', async (t) => {
  const { open, linesOf } = world(t);
  const audit = open();
  const appended = Array.from({ length: 1_000 }, () => audit.append({ event: 'e' }));
  const refused = await audit.append(EVENT).catch((error: unknown) => error);
  t.ok(isFault(refused, 'overload'));
  await Promise.all(appended);
  await audit.append({ event: 'e', text: 'x'.repeat(100_000) });
  t.match(linesOf().at(-1), /"event":"e","omittedBytes":100/);
  t.match(await audit.verify(), { isWhole: true, lines: 1_002 });
});
