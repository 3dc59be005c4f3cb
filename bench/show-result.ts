/**
 * The end of a run, or of a merge: its tables on the terminal, its files in a folder, and the exit code.
 */

import { join } from 'node:path';
import { isSound } from './report/result.ts';
import { eventLoopTable, steadyText, summaryTable, verdictText } from './report/terminal.ts';
import { writeReport } from './report/write-report.ts';
import type { RunResult } from './report/result.ts';

const ERRORS_SHOWN_MAX = 10;

/** What was measured is shown first: where its report cannot be written any more it is not lost. */
export function showResult(result: RunResult, folder: string): void {
  console.log(`\n${summaryTable(result)}\n`);
  for (const phase of result.phases) {
    if (phase.steady?.isReached === false) console.log(`${steadyText(phase)}\n`);
  }
  const eventLoops = eventLoopTable(result);
  if (eventLoops !== '') console.log(`how late the nodes' event loops were:\n${eventLoops}\n`);
  for (const { series, reason, count } of result.errors.slice(0, ERRORS_SHOWN_MAX)) {
    console.log(`${count} errors of ${series}: ${reason}`);
  }
  console.log(verdictText(result));
  writeReport(result, folder);
  console.log(`report: ${join(folder, 'report.html')}`);
  if (!isSound(result)) process.exitCode = 1;
}
