/**
 * Workloads by name, from this program's own, or by path.
 */

import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Fault } from '../../src/base/fault.ts';
import { findNearestName } from '../../src/config/nearest-name.ts';
import { readBashoConfig } from './basho-config.ts';
import { readWorkloadFile } from './workload.ts';
import type { Workload } from './workload.ts';

/** Seen from the compiled file. */
const FOLDER = resolve(import.meta.dirname, '../../../bench/workloads');
const ENDING = '.yml';

export function workloadNames(): string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(ENDING))
    .map((name) => name.slice(0, -ENDING.length))
    .sort();
}

/** A name, the path of a YAML file, or that of a basho_bench configuration (`.config`). */
export function findWorkload(name: string): Workload {
  if (name.endsWith('.config')) return readBashoConfig(name);
  if (name.endsWith('.yml') || name.endsWith('.yaml') || name.includes('/')) {
    return readWorkloadFile(name);
  }
  const path = join(FOLDER, name + ENDING);
  if (existsSync(path)) return readWorkloadFile(path);
  const nearest = findNearestName(name, workloadNames());
  const hint = nearest === undefined ? 'see `vertebra bench list`' : `did you mean ${nearest}?`;
  throw new Fault('config', `there is no workload ${name}; ${hint}`);
}
