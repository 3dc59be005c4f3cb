/** The log: JSON lines with an event and its fields, and nothing below the level. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Fault } from '../../src/base/fault.ts';
import { PinoLog } from '../../src/telemetry/pino-log.ts';

function collectingLog(level: 'debug' | 'info' | 'silent') {
  const lines: string[] = [];
  const log = new PinoLog({ node: 'dev1@127.0.0.1', level }, { write: (line) => lines.push(line) });
  const parsed = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, parsed };
}

t.test('a line has time, level, node, event and fields', (t) => {
  const { log, parsed } = collectingLog('info');
  log.warn('store.fenced', { tries: 2 });
  const [line] = parsed();
  t.match(line, { level: 'warn', node: 'dev1@127.0.0.1', event: 'store.fenced', tries: 2 });
  t.match(line?.['time'], /^\d{4}-\d\d-\d\dT.*Z$/);
  t.end();
});

t.test('what is below the level is not written, and the level can be changed', (t) => {
  const { log, parsed } = collectingLog('info');
  log.debug('a');
  log.setLevel('debug');
  log.debug('b');
  log.setLevel('silent');
  log.error('c');
  t.same(
    parsed().map((line) => line['event']),
    ['b'],
  );
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
  const file = join(t.testdir(), 'logs', 'node.log');
  const log = new PinoLog({ node: 'dev1@127.0.0.1', destination: file });
  log.info('node.started');
  // The file is opened in the background; flush throws until it is.
  const deadlineMs = performance.now() + 5_000;
  for (;;) {
    try {
      log.flush();
      break;
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
  }
  t.match(readFileSync(file, 'utf8'), /"event":"node.started"/);
  t.equal(log.droppedLines, 0);
});
