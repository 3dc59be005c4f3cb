/**
 * `vertebra bench suite`, which is `npm run bench`: the figures of the baseline, in ten minutes.
 *
 * Each part starts fresh nodes, so that none inherits another's compactions. The generator is on the
 * same machine as the nodes and takes from them; the reports say how much. Figures of different
 * machines are not comparable, which is why each result says what it was made on.
 */

import { join, resolve } from 'node:path';
import { Fault } from '../src/base/fault.ts';
import { textTable } from '../src/cli/text-table.ts';
import { overridden, runWorkload } from './run-command.ts';
import { STALL_MS, countFrom } from './report/event-loops.ts';
import type { DelayCounts } from './report/event-loops.ts';
import {
  isSound,
  memoryText,
  mergeHistograms,
  percentileMs,
  phaseRate,
  phaseUsage,
} from './report/result.ts';
import { makeReportFolder, writeReport } from './report/write-report.ts';
import { findWorkload } from './workload/find-workload.ts';
import type { RunArguments } from './run-command.ts';
import type { PhaseResult, RunResult } from './report/result.ts';

export interface SuiteArguments {
  readonly basePort: number;
  readonly out: string;
  readonly only?: string;
}

interface Part {
  readonly name: string;
  readonly workload: string;
  readonly nodes: number;
  readonly scale?: number;
  readonly duration: string;
}

const PARTS: readonly Part[] = [
  { name: 'get-1k-three-nodes', workload: 'get-1k', nodes: 3, duration: '10s' },
  { name: 'put-1k-three-nodes', workload: 'put-1k', nodes: 3, duration: '10s' },
  { name: 'get-22k-three-nodes', workload: 'get-22k', nodes: 3, duration: '10s' },
  { name: 'put-22k-three-nodes', workload: 'put-22k', nodes: 3, duration: '10s' },
  { name: 'get-1k-one-node', workload: 'get-1k', nodes: 1, duration: '10s' },
  { name: 'put-1k-one-node', workload: 'put-1k', nodes: 1, duration: '10s' },
  { name: 'general', workload: 'general', nodes: 3, scale: 0.0001, duration: '15s' },
  { name: 'nhs', workload: 'nhs', nodes: 3, scale: 0.0001, duration: '8s' },
  { name: 'clinicals', workload: 'clinicals', nodes: 3, scale: 0.0001, duration: '8s' },
  { name: 'passive', workload: 'passive', nodes: 3, scale: 0.001, duration: '8s' },
  { name: 'ycsb-a', workload: 'ycsb-a', nodes: 3, scale: 0.1, duration: '8s' },
  { name: 'hot-key', workload: 'hot-key', nodes: 3, duration: '8s' },
  { name: 'eps-day', workload: 'eps-day', nodes: 3, scale: 0.1, duration: '8s' },
];

const LATENCY_HEADING = ['p50 ms', 'p99', 'p99.9'];
const USAGE_HEADING = ['node µs/op', 'written B/op', 'MiB a node, own'];
const STALL_HEADING = `stalls ≥ ${STALL_MS} ms, own`;
const HEADING = [
  '',
  'phase',
  'ok/s',
  ...LATENCY_HEADING,
  'errors',
  ...USAGE_HEADING,
  STALL_HEADING,
  'lost',
];

/** Ends with exit code 1 where any part has lost an acknowledged write or delete. */
export async function suiteCommand(options: SuiteArguments, entryPoint: string): Promise<void> {
  const parts = PARTS.filter(({ name }) => options.only === undefined || name === options.only);
  if (parts.length === 0) {
    throw new Fault('config', `the parts are ${PARTS.map(({ name }) => name).join(', ')}`);
  }
  makeReportFolder(resolve(options.out));
  const rows: string[][] = [];
  try {
    for (const part of parts) {
      console.log(`\n${part.name}`);
      const chosen = argumentsOf(part, options);
      const workload = overridden(findWorkload(part.workload), chosen);
      const result = await runWorkload(workload, chosen, entryPoint);
      rows.push(...rowsOf(part.name, result));
      if (!isSound(result)) process.exitCode = 1;
      writeReport(result, resolve(join(options.out, part.name)));
      if (result.brokenOff !== undefined) break;
    }
  } finally {
    // What was measured until then, where a part could not be done or its report not be written.
    if (rows.length > 0) console.log(`\n${textTable(HEADING, rows)}`);
  }
}

function argumentsOf(part: Part, options: SuiteArguments): RunArguments {
  return {
    start: part.nodes,
    basePort: options.basePort,
    scale: part.scale ?? 1,
    duration: part.duration,
    steady: '8s',
    seed: 1,
    timeout: '10s',
    load: true,
    verify: true,
    verifyKeys: 1_000_000,
    patience: '30s',
    repeat: 1,
  };
}

function rowsOf(name: string, result: RunResult): string[][] {
  const { verdict } = result;
  return result.phases
    .filter(({ role }) => role === 'measure')
    .map((phase) => {
      const usage = phaseUsage(result, phase);
      return [
        name,
        phase.name,
        phaseRate(phase).toFixed(0),
        ...latencies(phase),
        String(phase.series.reduce((sum, one) => sum + (one.isPart ? 0 : one.errors), 0)),
        usage?.cpuMicros.toFixed(0) ?? '',
        usage?.writtenBytes.toFixed(0) ?? '',
        usage === undefined ? '' : memoryText(usage),
        stalls(phase),
        verdict === undefined ? '' : `${verdict.lost} of ${verdict.followed}`,
      ];
    });
}

/** Of the event loops of all nodes; after the comma those that were their own work. */
function stalls({ eventLoops = [] }: PhaseResult): string {
  const sumOf = (counts: readonly DelayCounts[]): number =>
    counts.reduce((sum, one) => sum + countFrom(one, STALL_MS), 0);
  const own = eventLoops
    .map(({ ownCounts }) => ownCounts)
    .filter((counts): counts is DelayCounts => counts !== undefined);
  const ownText = own.length < eventLoops.length ? '' : `, ${sumOf(own)}`;
  return `${sumOf(eventLoops.map(({ counts }) => counts))}${ownText}`;
}

/** Of all operations together, from when they were due. */
function latencies({ series }: PhaseResult): string[] {
  const whole = mergeHistograms(series.filter((one) => !one.isPart).map((one) => one.intended));
  return [50, 99, 99.9].map((at) => percentileMs(whole, at).toFixed(2));
}
