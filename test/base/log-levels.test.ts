/** How much the log says, of what, and for how long. */

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import type { Clock } from '../../src/base/host.ts';
import { LOG_SUBSYSTEMS, LogLevels } from '../../src/base/log-levels.ts';

/** Time moved by hand. */
class HandClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ readonly dueMs: number; readonly run: () => void }>();

  wallMicros(): number {
    return 0;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  pass(ms: number): void {
    this.#nowMs += ms;
    for (const timer of this.#timers) {
      if (timer.dueMs > this.#nowMs) continue;
      this.#timers.delete(timer);
      timer.run();
    }
  }
}

t.test('a subsystem has the level of all, or its own', (t) => {
  const levels = new LogLevels(new HandClock(), 'warn');
  t.notOk(levels.admits('info', 'repair.handoff.broken-off'));
  levels.set({ subsystem: 'repair', level: 'debug' });
  t.ok(levels.admits('debug', 'repair.handoff.broken-off'));
  t.notOk(levels.admits('info', 'replica.corrupt'));
  levels.set({ subsystem: 'hook', level: 'silent' });
  t.notOk(levels.admits('error', 'hook-failed'), 'an event without a dot');
  levels.set({ level: 'error' });
  t.notOk(levels.admits('warn', 'store.fenced'));
  t.ok(levels.admits('debug', 'repair.refilled'));
  levels.reset('repair');
  t.notOk(levels.admits('warn', 'repair.refilled'));
  levels.reset();
  t.ok(levels.admits('warn', 'hook-failed'));
  t.match(levels.report(), { level: 'warn', configured: 'warn', subsystems: [] });
  t.end();
});

t.test('a level for a time ends by itself, and not one that was set after it', (t) => {
  const clock = new HandClock();
  const levels = new LogLevels(clock, 'info');
  const told: string[] = [];
  levels.changed = (what, level) => told.push(`${what} ${level}`);
  levels.set({ level: 'debug', forMs: 1_000 });
  levels.set({ subsystem: 'peer', level: 'debug', forMs: 500 });
  clock.pass(400);
  levels.set({ subsystem: 'peer', level: 'error', forMs: 10_000 });
  clock.pass(200);
  t.notOk(levels.admits('warn', 'peer.lost'));
  t.match(levels.report(), {
    level: 'debug',
    leftMs: 400,
    subsystems: [{ subsystem: 'peer', level: 'error', leftMs: 9_800 }],
  });
  clock.pass(400);
  t.notOk(levels.admits('debug', 'store.fenced'));
  clock.pass(10_000);
  t.ok(levels.admits('info', 'peer.linked'));
  t.same(told, ['all debug', 'peer debug', 'peer error', 'all info', 'peer info']);
  t.end();
});

t.test('the subsystems are the first words of all events', (t) => {
  const root = resolve(import.meta.dirname, '../../../src');
  const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(root, file), 'utf8'));
  const direct = /[lL]og\s*\.(?:debug|info|warn|error)\(\s*(?:\w+ \? )?'([a-z]+)/g;
  const named = /\bevents: '([a-z]+)\./g;
  const words = sources.flatMap((source) =>
    [direct, named].flatMap((pattern) => [...source.matchAll(pattern)].map(([, word]) => word)),
  );
  t.ok(words.length > 50, `${words.length} events were found`);
  const unknown = words.filter((word) => !LOG_SUBSYSTEMS.some((each) => each === word));
  t.same(unknown, [], 'events of no subsystem');
  const silent = LOG_SUBSYSTEMS.filter((each) => !words.includes(each));
  t.same(silent, [], 'subsystems without an event');
  t.end();
});

t.test('no field of an event has the name of one that each line has', (t) => {
  const root = resolve(import.meta.dirname, '../../../src');
  const called = /[lL]og\s*\.(?:debug|info|warn|error)\([^{;]*\{([^}]*)\}/g;
  const fields = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const source = readFileSync(join(root, file), 'utf8');
      return [...source.matchAll(called)].map(([, text = '']) => ({ file, text: text.trim() }));
    });
  t.ok(fields.length > 50, `${fields.length} events with fields were found`);
  // Of two fields of one name a reader of JSON sees the last, and takes another node for the writer.
  const own = /(?:^|,)\s*(?:node|level|time|event)\s*(?:[:,]|$)/;
  t.same(
    fields.filter(({ text }) => own.test(text)),
    [],
  );
  t.end();
});
