/** Which commands of an operator are recorded, as what, and what becomes of them if they cannot be. */

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { AdminRefusal, type AdminCommand } from '../../src/admin/admin-server.ts';
import { auditedCommands, LOOKING_COMMANDS } from '../../src/admin/audited-commands.ts';
import type { AuditEvent } from '../../src/audit/audit-line.ts';
import { Fault } from '../../src/base/fault.ts';
import { SystemRandom } from '../../src/telemetry/system-host.ts';

function world(commands: Readonly<Record<string, AdminCommand>>, isLenient = false) {
  const events: AuditEvent[] = [];
  const disk = { isFull: false };
  const sink = {
    append: async (event: AuditEvent) => {
      if (disk.isFull) throw new Fault('disk-full', 'no space left');
      events.push(event);
    },
  };
  const audit = { sink, random: new SystemRandom(), isLenient };
  const audited = auditedCommands(new Map(Object.entries(commands)), audit);
  const run = async (name: string, options: Record<string, unknown> = {}) => {
    return audited.get(name)?.(options, 'root (sudo by ann)');
  };
  return { events, disk, run };
}

t.test('a change is recorded before it is made, and how it ended', async (t) => {
  const seen: number[] = [];
  const { events, run } = world({
    'cluster commit': async () => void seen.push(events.length),
    'cluster leave': async () => Promise.reject(new AdminRefusal('no such node')),
    'cluster down': async () => Promise.reject(new Error('a bug')),
    'cluster plan': async () => 'a plan',
  });
  await run('cluster commit', { plan: '4267d1ee' });
  t.same(seen, [1]);
  await t.rejects(run('cluster leave', { node: 'x@y' }), /no such node/);
  await t.rejects(run('cluster down'), /a bug/);
  t.equal(await run('cluster plan'), 'a plan');
  const [asked, ended] = events;
  t.match(asked, { event: 'command', command: 'cluster commit', operator: 'root (sudo by ann)' });
  t.match(asked, { arguments: { plan: '4267d1ee' }, id: /^[0-9a-f]{12}$/ });
  t.match(ended, { event: 'command-ended', id: asked?.['id'], outcome: 'done' });
  t.same(
    events.map(({ outcome }) => outcome),
    [undefined, 'done', undefined, 'refused', undefined, 'failed'],
  );
});

t.test('no password and no value of a user’s option is recorded', async (t) => {
  const { events, run } = world({
    'security add-user': async () => 'ok',
    'bucket-type create': async () => 'ok',
  });
  const options = ['password=geheim1', 'PASSWORD=geheim2', 'groups=clinicians', 'pin=geheim3'];
  await run('security add-user', { name: 'ann', options: [...options, 'geheim4'] });
  await run('bucket-type create', {
    type: 't',
    properties: { n_val: 3, nested: { clientSecret: 'geheim5' }, long: 'x'.repeat(1_000) },
  });
  const text = JSON.stringify(events);
  t.notMatch(text, /geheim/);
  t.ok(text.length < 2_000);
  t.match(events[0]?.['arguments'], {
    name: 'ann',
    options: ['password=***', 'PASSWORD=***', 'groups=clinicians', 'pin=***', '***'],
  });
  t.match(events[2]?.['arguments'], { properties: { n_val: 3, nested: { clientSecret: '***' } } });
});

t.test(
  'what cannot be recorded is not done, unless that is configured; looking goes on',
  async (t) => {
    let done = 0;
    const commands = { 'repair run': async () => (done += 1), status: async () => 'serving' };
    const strict = world(commands);
    strict.disk.isFull = true;
    await t.rejects(strict.run('repair run'), /nothing was done.*no space left/);
    t.equal(done, 0);
    t.equal(await strict.run('status'), 'serving');
    const lenient = world(commands, true);
    lenient.disk.isFull = true;
    t.equal(await lenient.run('repair run'), 1);
  },
);

t.test('looking at hot keys is recorded when it reveals them', async (t) => {
  const { events, run } = world({ hotkeys: async () => [] });
  await run('hotkeys', { revealKeys: false });
  t.equal(events.length, 0);
  await run('hotkeys', { revealKeys: true });
  t.match(events, [{ command: 'hotkeys', arguments: { revealKeys: true } }, { outcome: 'done' }]);
});

t.test('the erasure of a key is recorded without the key', async (t) => {
  const { events, run } = world({ 'key erase': async () => 'erased' });
  await run('key erase', { type: 't', bucket: 'b', key: '9990000018', reason: 'case 26/7' });
  t.match(events[0]?.['arguments'], { type: 't', bucket: 'b', key: '***', reason: 'case 26/7' });
  t.notMatch(JSON.stringify(events), /9990000018/);
});

t.test('what is called looking is a command that there is', (t) => {
  const folder = resolve(import.meta.dirname, '../../../src');
  const sources = readdirSync(join(folder, 'admin'))
    .map((name) => `admin/${name}`)
    .filter((name) => name !== 'admin/audited-commands.ts')
    .concat('cli/node-runtime.ts', 'cli/start-command.ts')
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('');
  t.same(
    [...LOOKING_COMMANDS].filter((name) => !sources.includes(`'${name}'`)),
    [],
  );
  t.end();
});
