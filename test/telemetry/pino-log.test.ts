/** The log: JSON lines with an event and its fields, and nothing below the level. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Fault } from '../../src/base/fault.ts';
import { LogLevels, type LogLevel } from '../../src/base/log-levels.ts';
import { PinoLog } from '../../src/telemetry/pino-log.ts';
import { SystemClock } from '../../src/telemetry/system-host.ts';

function collectingLog(level: LogLevel) {
  const lines: string[] = [];
  const levels = new LogLevels(new SystemClock(), level);
  const options = { node: 'dev1@127.0.0.1', levels };
  const log = new PinoLog(options, { write: (line) => lines.push(line) });
  const parsed = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, levels, lines, parsed };
}

t.test('a line has time, level, node, event and fields', (t) => {
  const { log, parsed } = collectingLog('info');
  log.warn('store.fenced', { tries: 2 });
  const [line] = parsed();
  t.match(line, { level: 'warn', node: 'dev1@127.0.0.1', event: 'store.fenced', tries: 2 });
  t.match(line?.['time'], /^\d{4}-\d\d-\d\dT.*Z$/);
  t.end();
});

t.test('what is below the level is not written, and a change of it always is', (t) => {
  const { log, levels, parsed } = collectingLog('info');
  log.debug('a');
  levels.set({ level: 'debug' });
  log.debug('b');
  levels.set({ level: 'silent' });
  log.error('c');
  levels.set({ subsystem: 'repair', level: 'info' });
  log.error('store.fenced');
  log.info('repair.refilled');
  const change = { event: 'node.log-level', level: 'info' };
  t.match(parsed(), [
    { ...change, subsystem: 'all', to: 'debug' },
    { event: 'b' },
    { ...change, subsystem: 'all', to: 'silent' },
    { ...change, subsystem: 'repair', to: 'info' },
    { event: 'repair.refilled' },
  ]);
  t.end();
});

t.test('the newest lines are kept, bounded, and no line is cut', (t) => {
  const { log, lines } = collectingLog('info');
  for (let i = 0; i < 3_000; i += 1) log.info('node.up', { i });
  t.same(log.newest(3), lines.slice(-3));
  const kept = log.newest(10_000);
  t.ok(kept.length >= 500 && kept.length <= 1_000, `${kept.length} lines`);
  log.info('node.up', { text: 'x'.repeat(5_000) });
  t.same(log.newest(1), kept.slice(-1), 'too long');
  for (let i = 0; i < 1_000; i += 1) log.info('node.up', { text: 'x'.repeat(4_000) });
  t.ok(log.newest(10_000).join('').length <= 512 * 1024);
  t.end();
});

t.test('an error field shows code, message and cause', (t) => {
  const { log, parsed } = collectingLog('info');
  const cause = new Error('disk full');
  log.error('store.failed', { error: new Fault('store-fenced', 'no writes', { cause }) });
  t.match(parsed()[0]?.['error'], {
    code: 'store-fenced',
    message: 'no writes',
    cause: { message: 'disk full' },
  });
  t.end();
});

t.test('a file gets the lines, and its folder is made', async (t) => {
  const levels = new LogLevels(new SystemClock(), 'info');
  const file = join(t.testdir(), 'logs', 'node.log');
  const log = new PinoLog({ node: 'dev1@127.0.0.1', levels, destination: file });
  log.info('node.started');
  // The file is opened in the background; flush throws until it is, and does not wait for a write under way.
  const deadlineMs = performance.now() + 5_000;
  let written = '';
  while (written === '' && performance.now() < deadlineMs) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    try {
      log.flush();
      written = readFileSync(file, 'utf8');
    } catch {
      // Not open yet.
    }
  }
  t.match(written, /"event":"node.started"/);
  t.equal(log.droppedLines, 0);
});
