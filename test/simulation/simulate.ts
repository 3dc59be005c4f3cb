/**
 * `npm run simulate -- --seeds 1..500` or `-- --minutes 30`: many seeds, with faults, judged.
 *
 * Prints a line for each broken seed with the command that replays it; exit code 1 if there was one.
 * `--first` ends with the first of them; with `--steps` the ring moves in every seed, not in each fourth;
 * with `--buckets` n_val, allow_mult and last_write_wins change in every seed, not in each fourth; with
 * `--members` nodes join, leave and replace each other; with `--faults crash,pause` only these happen.
 * `--links` has all go over the transport's links, `--messages` nothing. With `--sites` two clusters replicate
 * to each other.
 */

import { parseArgs } from 'node:util';
import { ALL_FAULTS } from './simulation-options.ts';
import { simulate, type Verdict } from './simulation.ts';
import { simulateSites, type SitesVerdict } from './sites.ts';

const { values, tokens } = parseArgs({
  tokens: true,
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string' },
    operations: { type: 'string', default: '40' },
    'datatype-clients': { type: 'string', default: '2' },
    verbose: { type: 'boolean', default: false },
    steps: { type: 'boolean' },
    members: { type: 'boolean', default: false },
    buckets: { type: 'boolean' },
    links: { type: 'boolean' },
    messages: { type: 'boolean' },
    faults: { type: 'string' },
    sites: { type: 'boolean', default: false },
    first: { type: 'boolean', default: false },
  },
});

/** Options that say which seeds run and what is told of them. */
const CHOOSING = new Set(['seeds', 'seed', 'minutes', 'first', 'verbose']);

const [first, last] = seedRange();
const wanted = values.faults?.split(',');
const faults = wanted && ALL_FAULTS.filter((kind) => wanted.includes(kind));
const deadlineMs =
  values.minutes === undefined ? Infinity : Date.now() + Number(values.minutes) * 60_000;
let brokenCount = 0;
let ackedCount = 0;
let seed = first;
// A bug that a node does not survive ends the process.
process.on('uncaughtExceptionMonitor', tellEnd);
for (; seed <= last && Date.now() < deadlineMs; seed += 1) {
  const verdict = await simulated<Verdict | SitesVerdict>(() =>
    values.sites ? sitesOf(seed) : clusterOf(seed),
  );
  if (verdict === undefined) {
    if (values.first) break;
    continue;
  }
  ackedCount += verdict.ackedCount;
  if (values.verbose) {
    console.log('absorbedCount' in verdict ? sitesLine(verdict) : clusterLine(verdict));
  }
  if (verdict.violations.length === 0) continue;
  brokenCount += 1;
  console.log(`seed ${seed} breaks a promise; replay: ${replay()}`);
  for (const violation of verdict.violations) console.log(`  ${violation}`);
  if (values.verbose) for (const line of verdict.log) console.log(`    ${line}`);
  if (values.first) break;
}
console.log(
  `${seed - first} seeds, ${ackedCount} acknowledged writes, ${brokenCount} seeds broken`,
);
process.exitCode = brokenCount === 0 ? 0 : 1;

/** With everything that was asked for, but which seeds and how long. */
function replay(): string {
  const others = tokens.flatMap((token) => {
    if (token.kind !== 'option' || CHOOSING.has(token.name)) return [];
    return token.value === undefined ? [token.rawName] : [token.rawName, token.value];
  });
  return ['npm run simulate --', ...others, `--seeds ${seed} --verbose`].join(' ');
}

/** Undefined: it came to no end, or to a bug that would stop a node. */
async function simulated<T>(run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    brokenCount += 1;
    tellEnd(error);
    return undefined;
  }
}

function clusterOf(of: number): Promise<Verdict> {
  return simulate({
    seed: of,
    operationsPerClient: Number(values.operations),
    datatypeClientCount: Number(values['datatype-clients']),
    ...(values.steps === undefined ? {} : { steps: values.steps }),
    ...(values.buckets === undefined ? {} : { changesBuckets: values.buckets }),
    ...(faults === undefined ? {} : { faults }),
    ...linksWanted(),
    changesMembers: values.members,
  });
}

function sitesOf(of: number): Promise<SitesVerdict> {
  return simulateSites({
    seed: of,
    operationsPerClient: Number(values.operations),
    datatypeClientCount: Number(values['datatype-clients']),
    ...(faults === undefined ? {} : { faults }),
    ...linksWanted(),
  });
}

function linksWanted(): { readonly links?: boolean } {
  if (values.links !== undefined) return { links: true };
  return values.messages === undefined ? {} : { links: false };
}

function clusterLine(verdict: Verdict): string {
  const { writeCount, readCount, failureCount, stepCount, fingerprint } = verdict;
  return (
    `seed ${verdict.seed}: ${verdict.ackedCount} of ${writeCount} writes acknowledged, ` +
    `${verdict.ackedUpdateCount} updates, ${verdict.ackedAccessCount} of access, ` +
    `${verdict.ackedBucketCount} of buckets, ` +
    `${stepCount} steps, ` +
    `${verdict.joinedCount} joined, ${verdict.leftCount} left (${verdict.forcedCount} by force), ` +
    `${readCount} reads, ${failureCount} failures, ${fingerprint}`
  );
}

function sitesLine(verdict: SitesVerdict): string {
  const { writeCount, ackedCount, ackedUpdateCount, absorbedCount } = verdict;
  return (
    `seed ${verdict.seed}: ${ackedCount} of ${writeCount} writes acknowledged, ` +
    `${ackedUpdateCount} updates, ${absorbedCount} objects taken over, ${verdict.cutCount} cuts, ` +
    `${verdict.overflowedCount} overflowed, ${verdict.fingerprint}`
  );
}

function tellEnd(error: unknown): void {
  console.log(`seed ${seed} breaks a promise; replay: ${replay()}; it ends with:`);
  console.log(`  ${error instanceof Error ? error.stack : String(error)}`);
}

/** `A..B`, or one seed; without either, on from `--seed` until the minutes are over. */
function seedRange(): [number, number] {
  if (values.seeds === undefined) {
    const from = Number(values.seed);
    return [from, values.minutes === undefined ? from + 99 : Infinity];
  }
  const match = /^(\d+)(?:\.\.(\d+))?$/.exec(values.seeds);
  if (match === null) throw new Error('--seeds takes A or A..B');
  return [Number(match[1]), Number(match[2] ?? match[1])];
}
