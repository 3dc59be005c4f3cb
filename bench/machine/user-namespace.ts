/**
 * A run begun anew where it may make hosts and mount, by a user who may not: in a user namespace of its own, with
 * a network and mounts that nobody else sees, and that end with it.
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** Set in the run within. */
const MARK = 'VERTEBRA_BENCH_IN_NAMESPACE';
const OWN = ['--user', '--map-root-user', '--net', '--mount'];
/** `/run` is root's own, and hosts are kept below it. */
const READY = 'ip link set lo up && mount -t tmpfs tmpfs /run && exec "$@"';

/** Undefined: there is no need, or the system has no such namespaces for its users. */
export async function runInNamespace(
  needsRights: boolean,
  command: readonly string[],
): Promise<number | undefined> {
  if (!needsRights || process.env[MARK] !== undefined || process.getuid?.() === 0) return undefined;
  if (spawnSync('unshare', [...OWN, 'sh', '-c', READY, 'sh', 'true']).status !== 0)
    return undefined;
  const child = spawn('unshare', [...OWN, 'sh', '-c', READY, 'sh', ...command], {
    stdio: 'inherit',
    env: { ...process.env, [MARK]: '1' },
  });
  // A terminal tells both; what else ends this one is to end the run in order.
  const passOn = (): void => void child.kill('SIGTERM');
  const ignore = (): void => undefined;
  process.on('SIGINT', ignore).on('SIGTERM', passOn);
  const [code] = (await once(child, 'exit')) as [number | null];
  process.off('SIGINT', ignore).off('SIGTERM', passOn);
  return code ?? 1;
}
