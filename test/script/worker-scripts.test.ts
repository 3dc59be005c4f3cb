/**
 * JavaScript in isolates: what it can do, what it cannot reach, and what ends it.
 */

import t from 'tap';
import { systemHost } from '../../src/telemetry/system-host.ts';
import { WorkerScripts } from '../../src/script/worker-scripts.ts';
import type { ScriptOptions } from '../../src/script/worker-scripts.ts';

const silent = (): void => {};
const host = systemHost(
  { debug: silent, info: silent, warn: silent, error: silent },
  { count: silent, gauge: silent, observe: silent },
);

// The thread does not keep the process alive, and nothing else would.
const alive = setInterval(silent, 1000);
t.teardown(() => clearInterval(alive));

function engine(options: Partial<ScriptOptions> = {}): WorkerScripts {
  const scripts = new WorkerScripts(host, options);
  t.teardown(() => scripts.close());
  return scripts;
}

const scripts = engine({ callTimeMs: 300, memoryBytes: 8 * 1024 * 1024, sessionsMax: 3 });

/** What one call of a function comes to: its value, or the message of its failure. */
async function run(expression: string, ...args: readonly unknown[]): Promise<unknown> {
  const session = scripts.open(expression);
  const outcome = await session.call(JSON.stringify(args));
  session.close();
  return outcome.kind === 'returned' ? JSON.parse(outcome.json) : outcome.message;
}

t.test('a function takes JSON and gives JSON', async (t) => {
  t.same(await run('function (a, b) { return [a + b, {é: a}]; }', 'ü\u2028', 2), [
    'ü\u20282',
    { é: 'ü\u2028' },
  ]);
  t.same(await run('x => [x]', null), [null]);
});

t.test('what is wrong with a function is told', async (t) => {
  t.match(await run('function (a) { return nothing; }'), /^ReferenceError: /);
  t.match(await run('function ('), /^SyntaxError: /);
  t.equal(await run('5'), 'no function');
  t.equal(await run('Riak.nothing'), 'no function');
  t.equal(await run('function () {}'), 'the function gave nothing');
  t.match(await run('function () { throw "up"; }'), 'up');
  t.match(await run('function () { var a = []; a[0] = a; return a; }'), /^TypeError: /);
});

t.test('a promise that is thrown costs no one the thread', async (t) => {
  const other = scripts.open('function () { return [1]; }');
  t.equal((await other.call('[]')).kind, 'returned');
  const promises = ['Promise.reject(1)', 'Promise.resolve(1)', 'new Promise(function () {})'];
  for (const promise of [...promises, 'Promise.reject(Promise.reject(1))']) {
    t.equal(await run(`function () { throw ${promise}; }`), 'a promise was thrown');
    t.equal((await other.call('[]')).kind, 'returned', promise);
  }
  other.close();
});

t.test('what is thrown is given no more time than a call', async (t) => {
  const other = scripts.open('function () { return [1]; }');
  t.equal((await other.call('[]')).kind, 'returned');
  t.type(await run('function () { throw {get message() { for (;;); }}; }'), 'string');
  t.equal((await other.call('[]')).kind, 'returned', 'the others have not lost their thread');
  other.close();
});

t.test('nothing of the process can be reached', async (t) => {
  const names = [
    'process',
    'require',
    'module',
    'global',
    'Buffer',
    'fetch',
    'setTimeout',
    'WebAssembly',
    'Worker',
    'console',
  ];
  const types = `[${names.map((name) => `typeof ${name}`).join(',')}]`;
  t.same(
    await run(`function () { return ${types}; }`),
    names.map(() => 'undefined'),
  );
  const escape =
    'function () { return [typeof (function () {}).constructor("return process")()]; }';
  t.match(await run(escape), /ReferenceError/);
  t.match(await run('function () { return [typeof import("fs")]; }'), ['object']);
});

t.test('what takes too long or too much is ended, and cannot catch it', async (t) => {
  t.match(await run('function () { for (;;) {} }'), /interrupted/);
  t.match(await run('function () { try { for (;;) {} } finally { return [1]; } }'), /interrupted/);
  t.match(
    await run('function () { return [/(a+)+$/.test("a".repeat(40) + "b")]; }'),
    /interrupted/,
  );
  t.match(await run('function () { return ["x".repeat(1e8)]; }'), /out of memory/);
  t.match(
    await run('function () { var a = []; for (;;) a.push(a.slice()); }'),
    /memory|interrupted/,
  );
  t.match(await run('function f() { return f(); }'), /stack/);
  t.same(await run('function () { return [1]; }'), [1], 'others are served as before');
});

t.test('sessions do not see each other, and keep what is their own', async (t) => {
  const counter = 'function () { return [(globalThis.n = (globalThis.n || 0) + 1)]; }';
  const first = scripts.open(counter);
  const second = scripts.open(counter);
  const json = async (session: typeof first) => {
    const outcome = await session.call('[]');
    return outcome.kind === 'returned' ? outcome.json : outcome.message;
  };
  t.equal(await json(first), '[1]');
  t.equal(await json(first), '[2]');
  t.equal(await json(second), '[1]');
  first.close();
  t.equal(await json(first), 'the script was stopped');
  second.close();
});

t.test('more functions than may be open are refused', async (t) => {
  const open = Array.from({ length: 4 }, () => scripts.open('x => [x]'));
  const outcomes = await Promise.all(open.map((session) => session.call('[1]')));
  t.same(
    outcomes.map(({ kind }) => kind),
    ['returned', 'returned', 'returned', 'failed'],
  );
  for (const session of open) session.close();
});

t.test('Riak knows these functions by name', async (t) => {
  const object = { values: [{ data: '{"a":1,"b":"x"}' }] };
  const missing = { not_found: { bucket: 'b', key: 'k', keydata: null } };
  t.same(await run('Riak.mapValues', object), ['{"a":1,"b":"x"}']);
  t.same(await run('Riak.mapValues', missing), [missing]);
  t.same(await run('Riak.mapValuesJson', object), [{ a: 1, b: 'x' }]);
  t.same(await run('Riak.mapByFields', object, null, { a: 1 }), [{ a: 1, b: 'x' }]);
  t.same(await run('Riak.mapByFields', object, null, { a: 2 }), []);
  t.same(await run('Riak.mapByFields', missing, null, {}), []);
  t.same(await run('Riak.filterNotFound', [1, missing, 'x']), [1, 'x']);
  t.same(await run('Riak.reduceSum', [1, missing, 2]), [3]);
  t.same(await run('Riak.reduceSum', []), [0]);
  t.same(await run('Riak.reduceMin', [3, 1, 2]), [1]);
  t.same(await run('Riak.reduceMax', [3, 1, 2]), [3]);
  t.same(await run('Riak.reduceMax', []), []);
  t.same(await run('Riak.reduceSort', ['b', 'a', 10, 9], null), [10, 9, 'a', 'b']);
  t.same(await run('Riak.reduceSort', [1, 3, 2], 'function (a, b) { return b - a; }'), [3, 2, 1]);
  t.same(await run('Riak.reduceNumericSort', [10, 9, 1]), [1, 9, 10]);
  t.same(await run('Riak.reduceLimit', [1, 2, 3], 3), [1, 2]);
  t.same(await run('Riak.reduceSlice', [1, 2, 3], [1, 2]), [2]);
  t.same(await run('Riak.reduceSlice', [1, 2, 3], [1, 9]), [1, 2, 3]);
});

t.test('what is closed answers that it is', async (t) => {
  const closing = engine();
  const session = closing.open('function () { for (;;) {} }');
  const outcome = session.call('[]');
  closing.close();
  t.match(await outcome, { kind: 'failed', message: 'the node is closing' });
});
