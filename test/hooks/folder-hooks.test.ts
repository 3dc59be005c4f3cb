/** Hooks from a folder: found by name, held to their time, and nothing outside of it. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { FolderHooks } from '../../src/hooks/folder-hooks.ts';
import { systemHost } from '../../src/telemetry/system-host.ts';
import type { HookedWrite } from '../../src/coordinator/commit-hooks.ts';
import type { CommitHook } from '../../src/object/bucket-properties.ts';
import type { Metadata } from '../../src/object/stored-object.ts';

const counts = new Map<string, number>();
const silent = (): void => {};
const host = systemHost(
  { debug: silent, info: silent, warn: silent, error: silent },
  {
    count: (name) => counts.set(name, (counts.get(name) ?? 0) + 1),
    gauge: silent,
    observe: silent,
  },
);

// The host's own timers do not keep the process alive, and nothing else would.
const alive = setInterval(silent, 1000);
const folder = mkdtempSync(join(tmpdir(), 'vertebra-hooks-'));
t.teardown(() => {
  clearInterval(alive);
  rmSync(folder, { recursive: true, force: true });
});

mkdirSync(join(folder, 'hooks'));
writeFileSync(join(folder, 'secret.mjs'), 'export const pass = (object) => object;');
writeFileSync(
  join(folder, 'hooks', 'records.mjs'),
  `export const pass = (object) => object;
  export const fail = () => 'fail';
  export const explain = (object) => ({ fail: 'no ' + object.value });
  export const crash = () => { throw new Error('broken'); };
  export const later = async (object) => object;
  export const never = () => new Promise(() => {});
  export const nothing = () => undefined;
  export const shout = (object) => {
    return { ...object, value: Buffer.from(String(object.value).toUpperCase()) };
  };
  const withTerms = (object, ...terms) => {
    return { ...object, indexes: terms.map((term) => ({ field: 'N_int', term })) };
  };
  export const index = (object) => withTerms(object, '07', '7');
  export const numbers = (object) => withTerms(object, '10', '-3', '9', '-20', '9');
  export const misindex = (object) => withTerms(object, 'x');
  export const scribble = (object) => {
    object.value.fill(0);
    return { ...object, value: Buffer.from('x') };
  };
  const scratch = Buffer.alloc(8);
  const pairs = [];
  export const reuse = (object) => {
    const size = object.value.copy(scratch);
    pairs.splice(0, 1, ['seen', object.key]);
    return { ...object, value: scratch.subarray(0, size), userMetadata: pairs };
  };
  export const empty = (object) => {
    for (const list of [object.userMetadata, object.indexes]) {
      for (const item of list) for (const name of Object.keys(item)) item[name] = 'other';
      list.length = 0;
    }
  };
  export const trap = () => ({ get value() { throw new Error('broken'); } });
  export const told = [];
  export const tell = (object) => { told.push(object.key); };
  export default (object) => object;`,
);
writeFileSync(join(folder, 'hooks', 'notes.txt'), 'no module');

const write: HookedWrite = {
  key: {
    type: utf8ToByteString('t'),
    bucket: utf8ToByteString('b'),
    key: utf8ToByteString('k'),
  },
  content: { metadata: {}, value: Buffer.from('value'), isTombstone: false },
};

const loading = FolderHooks.load(host, join(folder, 'hooks'), { timeoutMs: 50 });

async function check(...hooks: readonly CommitHook[]): Promise<unknown> {
  const verdict = await (await loading).before(hooks, write, 1_000);
  return verdict.kind === 'passed'
    ? verdict.content.value.toString()
    : (verdict.reason ?? 'failed');
}

const records = (fun: string): CommitHook => ({ mod: 'records', fun });

t.test('hooks pass, change and refuse, one after the other', async (t) => {
  t.equal(await check(records('pass'), { name: 'records' }, records('later')), 'value');
  t.equal(await check(records('shout'), records('pass')), 'VALUE');
  t.equal(await check(records('shout'), records('explain')), 'no VALUE');
  t.equal(await check(records('fail')), 'failed');
});

t.test('what crashes, says nothing or is late refuses the write', async (t) => {
  for (const fun of ['crash', 'nothing', 'never', 'misindex', 'trap', 'told']) {
    t.equal(await check(records(fun)), 'failed', fun);
  }
});

t.test('names lead to what was loaded from the folder and nowhere else', async (t) => {
  const names = ['secret', '../secret', '../secret.mjs', 'fs', 'node:fs', '__proto__', 'notes', ''];
  for (const mod of names) t.equal(await check({ mod, fun: 'pass' }), 'failed', mod);
  for (const fun of ['__proto__', 'constructor', 'toString', 'then']) {
    t.equal(await check(records(fun)), 'failed', fun);
  }
});

t.test('what comes back is checked and is the hook’s own', async (t) => {
  const hooks = await loading;
  const indexed = await hooks.before([records('index')], write, 1_000);
  t.match(indexed, { content: { metadata: { indexes: [{ field: 'n_int', term: '7' }] } } });
  const numbers = await hooks.before([records('numbers')], write, 1_000);
  const terms = ['-20', '-3', '9', '10'].map((term) => ({ field: 'n_int', term }));
  t.match(numbers, { content: { metadata: { indexes: terms } } }, 'integers as numbers');
  await hooks.before([records('scribble')], write, 1_000);
  t.equal(write.content.value.toString(), 'value', 'the write has its own bytes');
  const tombstone = { ...write.content, value: Buffer.alloc(0), isTombstone: true };
  const deleted = await hooks.before([records('shout')], { ...write, content: tombstone }, 1_000);
  t.same(deleted, { kind: 'passed', content: tombstone }, 'a delete stays one');
});

t.test('what a hook uses again for the next write stays with the write before', async (t) => {
  const hooks = await loading;
  const verdicts = await Promise.all(
    ['first', 'second'].map((text) => {
      const content = { ...write.content, value: Buffer.from(text) };
      const key = { ...write.key, key: utf8ToByteString(text) };
      return hooks.before([records('reuse')], { key, content }, 1_000);
    }),
  );
  for (const [index, text] of ['first', 'second'].entries()) {
    const metadata = { userMetadata: [['seen', text]] };
    t.match(verdicts[index], { kind: 'passed', content: { value: Buffer.from(text), metadata } });
  }
});

t.test('what a hook changes in place is not the write', async (t) => {
  const metadata = {
    userMetadata: [['k', 'v']],
    indexes: [{ field: 'n_int', term: '7' }],
  } as unknown as Metadata;
  const written = { ...write, content: { ...write.content, metadata } };
  const before = structuredClone(metadata);
  const hooks = await loading;
  hooks.after([records('empty')], written);
  t.same(metadata, before, 'after it');
  await hooks.before([records('empty')], written, 1_000);
  t.same(metadata, before, 'before it');
});

t.test('post-commit hooks are told, and their failures are counted', async (t) => {
  const hooks = await loading;
  const module = (await import(join(folder, 'hooks', 'records.mjs'))) as { told: string[] };
  hooks.after([records('tell'), records('crash'), { mod: 'none', fun: 'none' }], write);
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  t.same(module.told, ['k']);
  t.equal(counts.get('postcommit_fail'), 2);
});

t.test('a folder that is not there, or a module that is broken, stops the start', async (t) => {
  await t.rejects(FolderHooks.load(host, join(folder, 'none')), { code: 'config' });
  mkdirSync(join(folder, 'broken'));
  writeFileSync(join(folder, 'broken', 'bad.mjs'), 'export const = 5;');
  await t.rejects(FolderHooks.load(host, join(folder, 'broken')), { code: 'config' });
});
