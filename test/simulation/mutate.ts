/**
 * `npm run mutate [-- --seeds 40] [-- --only TEXT]`: plants each mutant and counts the seeds until a judge
 * finds it.
 *
 * The compiled code is copied aside and one line of it changed; the simulation, or the test that the mutant
 * names, then runs in a process of its own. What finds a mutant must find nothing in the same copy without
 * one: a file that is missing there would find them all. Exit code 1 if a mutant survives.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MUTANTS, type Mutant } from './mutants.ts';

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '40' }, only: { type: 'string', default: '' } },
});

const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));
/** A mutant may well make the simulation itself hang or crash, which is a way of being found. */
const TIME_LIMIT_MS = 300_000;

/** The program that a mutant names → what it says of the code as it is; undefined: all is well. */
const soundness = new Map<string, string | undefined>();

let survivors = 0;
for (const mutant of MUTANTS.filter(({ name }) => name.includes(values.only))) {
  const found = plant(mutant);
  if (found === undefined) survivors += 1;
  console.log(`${found ?? 'SURVIVES'}\t${mutant.name}`);
}
console.log(survivors === 0 ? 'every mutant was caught' : `${survivors} mutants survive`);
process.exitCode = survivors === 0 ? 0 : 1;

/** What finds it, in words; undefined: nothing does. */
function plant({ file, from, to, by }: Mutant): string | undefined {
  const folder = copyOfBuild();
  try {
    const look = () =>
      by === undefined ? firstFinding(folder) : failureOf(join(folder, 'build/test', `${by}.js`));
    const name = by ?? 'simulate';
    if (!soundness.has(name)) soundness.set(name, look());
    const without = soundness.get(name);
    if (without !== undefined)
      throw new Error(`${name} finds something without a mutant: ${without}`);
    const path = join(folder, 'build/src', `${file}.js`);
    writeFileSync(
      path,
      readFileSync(path, 'utf8').replace(from, () => to),
    );
    // Code that cannot be loaded is no mutant.
    execFileSync(process.execPath, ['--check', path]);
    return look();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Everything of the project, which the tests read; of its own is only the compiled code. */
function copyOfBuild(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-mutant-'));
  for (const name of readdirSync(PROJECT)) {
    if (name !== 'build') symlinkSync(join(PROJECT, name), join(folder, name));
  }
  cpSync(join(PROJECT, 'build'), join(folder, 'build'), { recursive: true });
  return folder;
}

function failureOf(test: string): string | undefined {
  const run = spawnSync(process.execPath, [test], { encoding: 'utf8', timeout: TIME_LIMIT_MS });
  if (run.status === 0) return undefined;
  const found = /^not ok \d+ - (.*?)(?: # .*)?$/m.exec(run.stdout);
  return found === null ? 'the test crashes' : `fails: ${found[1]}`;
}

function firstFinding(folder: string): string | undefined {
  const script = join(folder, 'build/test/simulation/simulate.js');
  const args = [script, '--seeds', `1..${values.seeds}`, '--first'];
  const run = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: TIME_LIMIT_MS });
  if (run.status === 0) return undefined;
  const found = /^seed (\d+) breaks a promise.*\n {2}(.*)$/m.exec(run.stdout);
  if (found !== null) return `seed ${found[1]}: ${found[2]}`;
  return run.error === undefined ? 'the simulation crashes' : 'the simulation hangs';
}
