/** `vertebra migrate` as it is called: what it prints, and how it ends. */

import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runProgram } from '../../src/cli/program.ts';
import { PASSWORD } from '../api/secured.ts';
import { BUCKET, TYPE, change, newFolder, serveEnd, serveSecuredEnd } from './two-ends.ts';
import { valuesOf } from './two-ends.ts';
import type { Test } from 'tap';

/** In this process: reading the program anew for each call would cost more than all it does. */
async function run(t: Test, ...words: readonly string[]) {
  const printed = t.capture(console, 'log');
  const complained = t.capture(console, 'error');
  await runProgram(['node', 'vertebra', 'migrate', ...words], '');
  const code = process.exitCode ?? 0;
  process.exitCode = 0;
  printed.restore();
  complained.restore();
  const textOf = (calls: readonly { readonly args: readonly unknown[] }[]): string =>
    calls.map(({ args }) => args.join(' ')).join('\n');
  return { code, out: textOf(printed()), err: textOf(complained()) };
}

t.test('a move from the plan to the way back', async (t) => {
  const [source, target] = [await serveEnd(t), await serveEnd(t)];
  const ends = ['--from', `127.0.0.1:${source.port}`, '--to', `127.0.0.1:${target.port}`];
  const back = ['--from', `127.0.0.1:${target.port}`, '--to', `127.0.0.1:${source.port}`];
  const type = ['--type', TYPE];
  const ledger = ['--ledger', newFolder(t)];
  await change(source, 'Okafor', 'v');
  await source.client.buckets.setProperties(TYPE, BUCKET, { n_val: 2, pw: 'one' });

  const planned = await run(t, 'plan', ...ends, ...type);
  t.equal(planned.code, 1);
  t.match(planned.out, /bucket siblings\/patients differs:\n {2}n_val: 2 at the source, 3 at the/);
  t.equal((await run(t, 'plan', ...ends, ...type, '--set')).code, 0);
  t.equal((await run(t, 'plan', ...ends, ...type)).code, 0);
  t.match(await target.client.buckets.properties(TYPE, BUCKET), { n_val: 2, pw: 'one' });

  const different = await run(t, 'compare', ...ends, ...type);
  t.match(different, { code: 1, err: '' });
  t.match(different.out, /1 +missing/);
  t.notMatch(different.out, 'Okafor');
  const copied = await run(t, 'copy', ...ends, ...type, ...ledger, '--rate', '500/s', '--json');
  t.equal(copied.code, 0);
  t.match(JSON.parse(copied.out), { isSettled: true, pass: 1, outcomes: { copied: 1 } });
  t.match(await run(t, 'compare', ...ends, ...type), { code: 0, out: /the ends hold the same/ });

  await change(target, 'Okafor', 'w');
  const wrong = await run(t, 'copy', ...back, ...type, ...ledger);
  t.match(wrong, { code: 1, err: /add --reverse$/ });
  t.equal((await run(t, 'copy', ...back, ...type, ...ledger, '--reverse')).code, 0);
  t.same(await valuesOf(source, 'Okafor'), ['w']);

  const file = join(newFolder(t), 'objects.ndjson.gz');
  const from = ['--from', `127.0.0.1:${source.port}`, ...type];
  const to = ['--to', `127.0.0.1:${target.port}`];
  t.match(await run(t, 'export', file, ...from), { code: 0, out: /^1 objects/ });
  t.match(await run(t, 'import', file, ...to), { code: 0, out: /1 +same/ });
  const keysTo = join(newFolder(t), 'keys');
  await change(target, 'Okafor', 'x');
  const conflict = await run(t, 'import', file, ...to, '--keys-to', keysTo);
  t.match(conflict, { code: 1, out: /1 +conflict/ });
  t.match(JSON.parse(readFileSync(keysTo, 'utf8')), { key: 'Okafor', outcome: 'conflict' });
  t.equal(statSync(keysTo).mode & 0o777, 0o600);
});

t.test('both ends may have security on', async (t) => {
  const [source, target] = [await serveSecuredEnd(t), await serveSecuredEnd(t)];
  for (let index = 0; index < 10; index += 1) await change(source, `k${index}`, 'v');
  source.security.isEnabled = true;
  target.security.isEnabled = true;
  const [folder, ledger] = [newFolder(t), newFolder(t)];
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, `${PASSWORD}\n`);
  process.env['VERTEBRA_TO_PASSWORD'] = PASSWORD;
  t.teardown(() => delete process.env['VERTEBRA_TO_PASSWORD']);
  const from = ['--from', `127.0.0.1:${source.port}`, '--type', TYPE];
  const to = ['--to', `127.0.0.1:${target.port}`];
  const fromBob = ['--from-user', 'bob', '--from-password-file', passwordFile];
  const toBob = ['--to-user', 'bob', '--to-ca', target.caFile];
  const asBob = [...fromBob, '--from-ca', source.caFile, ...toBob, '--concurrency', '2'];
  const nobody = await run(t, 'copy', ...from, ...to, '--ledger', ledger);
  t.match(nobody, { code: 1, err: /please STARTTLS first \(see --from-user\)$/ });
  const copied = await run(t, 'copy', ...from, ...to, ...asBob, '--ledger', ledger);
  t.match(copied, { code: 0, out: /10 +copied/ });
  t.match(await run(t, 'compare', ...from, ...to, ...asBob), { code: 0 });
  const file = join(folder, 'objects');
  t.match(await run(t, 'export', file, ...from, ...fromBob, '--from-ca', source.caFile), {
    code: 0,
  });
  t.match(await run(t, 'import', file, ...to, ...toBob), { code: 0, out: /10 +same/ });
  t.notMatch(JSON.stringify(copied), 'sesame', 'no password is told');
  for (const name of readdirSync(ledger)) t.notMatch(readFileSync(join(ledger, name)), 'sesame');

  target.security.grant('bob', ['riak_kv.get', 'riak_kv.put', 'riak_kv.list_buckets']);
  const denied = await run(t, 'compare', ...from, ...to, ...asBob);
  t.match(denied, {
    code: 1,
    out: '',
    err: /does not have 'riak_kv.index'|'riak_core.get_bucket'/,
  });
});

t.test('what cannot be done is said in a sentence', async (t) => {
  const { port } = await serveEnd(t);
  const there = `127.0.0.1:${port}`;
  const refuses = async (words: readonly string[], why: RegExp): Promise<void> => {
    const { code, err } = await run(t, ...words);
    t.equal(code, 1);
    t.match(err, why);
  };
  await refuses(['compare', '--from', there, '--to', there], /cannot be both ends/);
  await refuses(['compare', '--from', 'nowhere', '--to', there], /nowhere is no host:port/);
  const login = ['--from-user', 'ann', '--from-ca', '/none/such'];
  await refuses(['export', 'f', '--from', there, ...login], /\/none\/such cannot be read: ENOENT/);
  await refuses(['export', 'f', '--from', there, ...login.slice(2)], /a login needs --from-user/);
  await refuses(
    ['export', 'f', '--from', there, '--from-user', 'ann', '--from-key', 'k'],
    /--from-cert and --from-key go together/,
  );
  await refuses(['import', '/none/such', '--to', there], /\/none\/such cannot be read: ENOENT/);
  await refuses(
    ['export', '/none/such', '--from', there],
    /\/none\/such cannot be written: ENOENT/,
  );
  await refuses(
    ['export', join(newFolder(t), 'f'), '--from', there, '--type', 'unknown'],
    /No bucket-type named 'unknown'/,
  );
});
