/** The admin server: what the system cannot accept stops nobody, and what is not known is refused in words. */

import { mkdtempSync, rmSync } from 'node:fs';
import { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { askNode } from '../../src/admin/admin-client.ts';
import { AdminServer } from '../../src/admin/admin-server.ts';

t.test('connections that the system cannot accept are counted', async (t) => {
  const listens = t.capture(Server.prototype, 'listen', Server.prototype.listen);
  const counts = new Map<string, number>();
  const metrics = {
    count: (name: string, by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by),
    gauge() {},
    observe() {},
  };
  // A socket's path may not be long.
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-admin-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'admin.sock');
  const commands = new Map([['ping', () => Promise.resolve('pong')]]);
  const server = await AdminServer.listen(path, commands, metrics);
  t.teardown(() => server.close());
  const listener = listens()[0]?.receiver as Server;
  for (let count = 0; count < 2; count += 1) {
    listener.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }));
  }
  t.equal(counts.get('admin_accept_failed_total'), 2);
  t.match(await askNode(path, { command: 'ping', arguments: {} }, 10_000), 'pong');
});

t.test('a command that only a later release has is refused as such', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-admin-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'admin.sock');
  const server = await AdminServer.listen(path, new Map(), { count() {} });
  t.teardown(() => server.close());
  await t.rejects(askNode(path, { command: 'later', arguments: {} }, 10_000), {
    message: 'the release that this node runs does not have the command "later"',
  });
});

t.test('who gets no answer hears what is known of why', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-admin-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'admin.sock');
  const never = new Promise<never>(() => undefined);
  const commands = new Map(['status', 'cluster commit'].map((name) => [name, () => never]));
  const server = await AdminServer.listen(path, commands, { count() {} });
  t.teardown(() => server.close());
  const ask = (command: string) => askNode(path, { command, arguments: {} }, 50);
  await t.rejects(ask('status'), { message: /^no answer from the node within 50 ms$/ });
  await t.rejects(ask('cluster commit'), { message: /within 50 ms: it may do yet what it was/ });
  const failing = (method: 'connect' | 'write', code: string) =>
    t.capture(Socket.prototype, method, function (this: Socket) {
      return this.destroy(Object.assign(new Error(code), { code }));
    } as never);
  const write = failing('write', 'EPIPE');
  await t.rejects(ask('status'), { message: /^the node went away before it had answered/ });
  write.restore();
  failing('connect', 'EACCES');
  await t.rejects(ask('status'), { message: /^only the user who runs the node may ask it/ });
});
