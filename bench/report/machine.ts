/**
 * The machine a result was made on; without it a figure says little.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type as system } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  /** Of the folder given, as the mount table calls it. */
  readonly fileSystem: string;
  readonly node: string;
  /** Of this program; empty outside a repository. */
  readonly commit: string;
  /** Of one minute, before the run: who else was there. */
  readonly loadBefore: number;
}

export function describeMachine(folder: string): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: `${system()} ${release()}`,
    fileSystem: fileSystemOf(folder),
    node: process.version,
    commit: outputOf('git', ['-C', import.meta.dirname, 'rev-parse', '--short', 'HEAD']),
    loadBefore: loadavg()[0] ?? 0,
  };
}

/** The longest mount point that the path begins with. */
function fileSystemOf(folder: string): string {
  let best: { readonly point: string; readonly kind: string } = { point: '', kind: 'unknown' };
  try {
    for (const line of readFileSync('/proc/mounts', 'utf8').split('\n')) {
      const [, point = '', kind = ''] = line.split(' ');
      const isWithin = folder === point || folder.startsWith(point === '/' ? '/' : `${point}/`);
      if (isWithin && point.length > best.point.length) best = { point, kind };
    }
  } catch {
    // Not Linux: the name is for the reader only.
    return 'unknown';
  }
  return best.kind;
}

function outputOf(command: string, parameters: readonly string[]): string {
  try {
    return execFileSync(command, parameters, { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return '';
  }
}
