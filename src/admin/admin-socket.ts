/**
 * Where a node listens for its operator: a Unix socket in its data folder.
 *
 * Who may write to the folder may administer the node; nothing is open to the network. A socket's
 * path is limited to 107 bytes, so a node in a deep folder has it in the system's folder for
 * temporary files, under a name derived from the data folder.
 */

import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const PATH_MAX_BYTES = 100;

export function adminSocketPath(dataFolder: string): string {
  const path = join(resolve(dataFolder), 'admin.sock');
  if (Buffer.byteLength(path) <= PATH_MAX_BYTES) return path;
  const digest = createHash('sha256').update(path).digest('hex').slice(0, 16);
  return join(tmpdir(), `vertebra-${digest}.sock`);
}
