/**
 * `vertebra bench list` and `check`: what workloads there are, and whether files are sound.
 */

import { textTable } from '../src/cli/text-table.ts';
import { findWorkload, workloadNames } from './workload/find-workload.ts';

const TEXT_MAX = 72;

export function listCommand(): void {
  const rows = workloadNames().map((name) => {
    const { about, operations } = findWorkload(name);
    const [first = ''] = about.split(/(?<=[.?])\s/);
    return [name, cut(first.trim()), cut(operations.map((operation) => operation.name).join(' '))];
  });
  console.log(textTable(['workload', 'about', 'operations'], rows));
}

/** What is longer is in the file. */
function cut(text: string): string {
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX - 1).trimEnd()}…` : text;
}

/** Each file's first problem goes to stderr, and the exit code is 1. */
export function checkCommand(files: readonly string[]): void {
  for (const file of files) {
    const { name, about, operations } = findWorkload(file);
    console.log(`${file}: ${name}, ${operations.length} operations`);
    if (file.endsWith('.config')) console.log(about);
  }
}
