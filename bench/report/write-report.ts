/**
 * The files of a run: `report.html`, `result.json`, the HDR log, and basho_bench's.
 */

import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HistogramLogWriter } from 'hdr-histogram-js';
import { Fault } from '../../src/base/fault.ts';
import { makeFolders } from '../../src/storage/make-folders.ts';
import { bashoFiles } from './basho-csv.ts';
import { htmlReport } from './html.ts';
import { RESULT_FORMAT, decodeHistogram } from './result.ts';
import type { RunResult } from './result.ts';

const RESULT_FILE = 'result.json';

/** Before a run of hours, and not after it, it is found out whether there is a place for its report. */
export function makeReportFolder(folder: string): void {
  try {
    makeFolders(folder);
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Fault('config', `the report cannot be written to ${folder}: ${why}`, { cause });
  }
}

export function writeReport(result: RunResult, folder: string): void {
  makeReportFolder(folder);
  try {
    writeFileSync(join(folder, RESULT_FILE), `${JSON.stringify(result)}\n`);
    writeFileSync(join(folder, 'report.html'), htmlReport(result));
    writeFileSync(join(folder, 'latencies.hlog'), histogramLog(result));
    for (const [name, text] of bashoFiles(result)) writeFileSync(join(folder, name), text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Fault('config', `the report cannot be written to ${folder}: ${why}`, { cause });
  }
}

/** Of a folder, or of a `result.json`. */
export function readResult(path: string): RunResult {
  const file = path.endsWith('.json') ? path : join(path, RESULT_FILE);
  let result: Partial<RunResult>;
  try {
    result = JSON.parse(readFileSync(file, 'utf8')) as Partial<RunResult>;
  } catch (cause) {
    throw new Fault('config', `${file} is no result of a run`, { cause });
  }
  if (result.format !== RESULT_FORMAT) {
    throw new Fault('config', `${file} is a result of another format`);
  }
  return result as RunResult;
}

/** The common log format of HDR histograms: one line for each phase, series and node. */
export function histogramLog(result: RunResult): string {
  let text = '';
  const writer = new HistogramLogWriter((piece) => {
    text += piece;
  });
  writer.outputLogFormatVersion();
  const originMs = Date.parse(result.startedAt);
  writer.outputStartTime(originMs);
  writer.outputLegend();
  for (const phase of result.phases) {
    for (const one of phase.series) {
      const histogram = decodeHistogram(one.intended);
      // A tag ends at the first comma.
      histogram.tag = `${phase.name}/${one.series}/${one.node}`.replaceAll(/[,\s]/g, '-');
      writer.outputIntervalHistogram(histogram, phase.startMs / 1_000, phase.endMs / 1_000, 1_000);
    }
  }
  return text;
}
