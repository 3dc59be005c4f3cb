/** The audit log on a real disk: kept, continued, changed for a new file, and held to its chain. */

import {
  appendFileSync,
  existsSync,
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
import { newestEntries } from '../../src/audit/newest-entries.ts';
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

t.test('no field of an event stands for who wrote it, when, and behind which line', async (t) => {
  const { open, linesOf } = world(t);
  const audit = open();
  await audit.append({ event: 'e', node: 'elsewhere', time: 'never', previous: 'none' });
  t.match(JSON.parse(linesOf().at(-1) ?? ''), { node: 'a@b', time: /^20.*Z$/, event: 'e' });
  t.match(await audit.verify(), { isWhole: true, lines: 2 });
});

t.test('names in a line cannot steer the terminal that shows it', async (t) => {
  const { open, linesOf } = world(t);
  const audit = open();
  // A command to the terminal, delete, text turned around, nothing that shows, a tag outside the plane.
  const user = 'a\u009b2J\u007f\u202eb\u2066\u200b\u2028\ufeff\u{e0041}\n é 患者';
  await audit.append({ event: 'login-refused', user });
  const line = linesOf().at(-1) ?? '';
  t.notMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  t.match(line, ' é 患者');
  t.match(await audit.newest(1), [{ user }]);
  t.match(await audit.verify(), { isWhole: true, lines: 2 });
});

t.test('an end without lines, however long, is taken off as a torn line is', async (t) => {
  const { folder, open, linesOf } = world(t);
  const first = open();
  await first.append(EVENT);
  await first.close();
  // As some file systems leave a file whose end was not written when the power went.
  appendFileSync(join(folder, 'audit.log'), Buffer.alloc(200_000));
  const second = open();
  await second.append(EVENT);
  t.match(linesOf()[2], /"event":"torn-line-cut","bytes":200000/);
  t.match(await second.verify(), { isWhole: true, lines: 4 });
  await second.append(EVENT);
  t.match(await second.verify(), { isWhole: true, lines: 5 });
});

t.test('what was taken away while nothing could be written is noticed', async (t) => {
  const { folder, open, linesOf, counts, errors } = world(t, { fileMaxBytes: 600 });
  const path = join(folder, 'audit.log');
  const inTheWay = join(folder, 'audit.000001.log');
  const audit = open();
  while (!existsSync(path) || statSync(path).size < 600) await audit.append(EVENT);
  mkdirSync(inTheWay);
  await t.rejects(audit.append(EVENT));
  // The last line is cut off, where the chain alone would not tell.
  writeFileSync(path, `${linesOf().slice(0, -1).join('\n')}\n`);
  rmSync(inTheWay, { recursive: true });
  await audit.append(EVENT);
  t.equal(counts.get('audit_files_touched_total'), 1);
  t.same(errors, ['audit.failed', 'audit.file-touched']);
  t.match(await audit.verify(), { isWhole: false });
});

t.test('what was left while nothing could be written is gone on with', async (t) => {
  const { folder, open, counts } = world(t, { fileMaxBytes: 600, filesMax: 2 });
  const audit = open();
  // The oldest file that has to go is none that can be: the next one has been begun by then.
  mkdirSync(join(folder, 'audit.000000.log'));
  let refused = 0;
  for (let number = 0; number < 8; number += 1) {
    await audit.append(EVENT).catch(() => (refused += 1));
  }
  t.ok(refused > 0);
  rmSync(join(folder, 'audit.000000.log'), { recursive: true });
  await audit.append(EVENT);
  t.equal(counts.get('audit_files_touched_total'), undefined);
  t.match(await audit.verify(), { isWhole: true });
});

t.test('what cannot be read is not said to be unwritable', async (t) => {
  const { folder, open } = world(t);
  const audit = open();
  await audit.append(EVENT);
  mkdirSync(join(folder, 'audit.000007.log'));
  await t.rejects(audit.verify(), { code: 'config', message: /the audit log cannot be read/ });
  await t.rejects(audit.newest(1), { code: 'config', message: /the audit log cannot be read/ });
});

t.test('none are none', async (t) => {
  const { folder, open } = world(t);
  await open().append(EVENT);
  t.same(await newestEntries(folder, 0), []);
});

t.test('a full file is not written over by one that was put back', async (t) => {
  const { folder, open } = world(t, { fileMaxBytes: 600 });
  const first = open();
  for (let number = 0; number < 20; number += 1) await first.append({ event: 'e', number });
  await first.close();
  const [oldest = ''] = readdirSync(folder).sort();
  const second = 'audit.000002.log';
  const kept = readFileSync(join(folder, second), 'utf8');
  writeFileSync(join(folder, 'audit.log'), kept.slice(0, kept.indexOf('\n') + 1));
  const again = open();
  for (let number = 0; number < 20; number += 1) await again.append({ event: 'f', number });
  t.equal(oldest, 'audit.000001.log');
  t.equal(readFileSync(join(folder, second), 'utf8'), kept);
});
