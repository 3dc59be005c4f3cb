/**
 * Backups by an operator: begun, watched and cancelled at the node that is asked.
 */

import { isAbsolute } from 'node:path';
import type { Backups } from '../backup/backups.ts';
import { AdminRefusal, type AdminCommand } from './admin-server.ts';

export function backupCommands(backups: Backups): Map<string, AdminCommand> {
  return new Map<string, AdminCommand>([
    ['backup create', async (options) => create(backups, options)],
    ['backup status', async () => backups.status()],
    [
      'backup cancel',
      async () => {
        await backups.cancel();
        return backups.status();
      },
    ],
  ]);
}

function create(backups: Backups, options: Readonly<Record<string, unknown>>): string {
  const { bytesPerSecond, base, isBaseTrusted } = options;
  const folder = mustPath(options['folder'], 'the folder of a backup');
  if (!Number.isSafeInteger(bytesPerSecond) || Number(bytesPerSecond) < 1) {
    throw new AdminRefusal('the rate of a backup is a number of bytes a second');
  }
  const request = {
    folder,
    bytesPerSecond: Number(bytesPerSecond),
    ...(base !== undefined && {
      base: {
        folder: mustPath(base, 'the base of a backup'),
        isTrusted: isBaseTrusted === true,
      },
    }),
  };
  if (!backups.create(request)) {
    throw new AdminRefusal('a backup is under way; see backup status, or cancel it');
  }
  return `a backup to ${folder} has begun; see backup status`;
}

function mustPath(value: unknown, what: string): string {
  if (typeof value === 'string' && isAbsolute(value) && !value.includes('\0')) return value;
  throw new AdminRefusal(`${what} is an absolute path`);
}
