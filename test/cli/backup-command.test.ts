/** `vertebra admin backup create` ends well only for the backup that it has asked for. */

import { Command } from 'commander';
import t from 'tap';
import { addBackupCommands } from '../../src/cli/admin-backup-command.ts';
import type { BackupCommandPorts } from '../../src/cli/admin-backup-command.ts';

/** A node that answers so when it is asked how far the backup is, one after the other. */
function create(folder: string, answers: readonly unknown[]): Promise<unknown> {
  const left = [...answers];
  const ports = {
    ask: () => Promise.resolve(),
    query: (command: string) =>
      Promise.resolve(command === 'backup status' ? left.shift() : undefined),
  } as Partial<BackupCommandPorts> as BackupCommandPorts;
  const admin = new Command().exitOverride();
  addBackupCommands(admin, ports);
  return admin.parseAsync(['backup', 'create', folder], { from: 'user' });
}

function status(state: string, folder?: string): unknown {
  return { state, tookMs: 1, progress: folder && { folder }, reason: undefined };
}

t.test('the end of another backup, begun since, is not taken for its own', async (t) => {
  await create('/b/own', [
    status('running'),
    status('running', '/b/own'),
    status('done', '/b/own'),
  ]);
  const another =
    /what became of \/b\/own is not known: another backup, to \/b\/other, has begun since/;
  for (const answers of [
    [status('running', '/b/own'), status('done', '/b/other')],
    [status('running'), status('running', '/b/other'), status('done', '/b/other')],
    [status('failed', '/b/other')],
  ]) {
    await t.rejects(create('/b/own', answers), { message: another });
  }
  await t.rejects(create('/b/own', [status('failed')]), { message: /no backup was made/ });
});
