/**
 * `vertebra bench list` and `check`: what workloads there are, and whether files are sound.
 */

import { textTable } from '../src/cli/text-table.ts';
import { findWorkload, workloadNames } from './workload/find-workload.ts';

export function listCommand(): void {
  const rows = workloadNames().map((name) => {
    const { about, operations } = findWorkload(name);
    const [first = ''] = about.split(/(?<=\.)\s/);
    return [name, operations.map((operation) => operation.name).join(' '), first.trim()];
  });
  console.log(textTable(['workload', 'operations', 'about'], rows));
}

/** Each file's first problem goes to stderr, and the exit code is 1. */
export function checkCommand(files: readonly string[]): void {
  for (const file of files) {
    const { name, operations } = findWorkload(file);
    console.log(`${file}: ${name}, ${operations.length} operations`);
  }
}
