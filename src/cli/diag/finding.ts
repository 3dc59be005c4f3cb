/**
 * What a diagnosis consists of: one finding for each thing that was looked at.
 */

import { textTable } from '../text-table.ts';

export type Verdict = 'ok' | 'warn' | 'fail';

export interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  /** What was found, in a few words. */
  readonly found: string;
  /** What to do about it; absent where all is well. */
  readonly advice?: string;
}

export function ok(check: string, found: string): Finding {
  return { check, verdict: 'ok', found };
}

export function warn(check: string, found: string, advice: string): Finding {
  return { check, verdict: 'warn', found, advice };
}

export function fail(check: string, found: string, advice: string): Finding {
  return { check, verdict: 'fail', found, advice };
}

/** The table, and below it what to do, the worst first. */
export function findingsText(findings: readonly Finding[]): string {
  const rows = findings.map(({ check, verdict, found }) => [verdict, check, found]);
  const advice = adviceLines(findings);
  return [
    textTable(['', 'check', 'found'], rows),
    ...(advice.length > 0 ? ['', ...advice] : []),
  ].join('\n');
}

/** The worst first. */
export function adviceLines(findings: readonly Finding[]): string[] {
  return (['fail', 'warn'] as const).flatMap((wanted) =>
    findings
      .filter(({ verdict }) => verdict === wanted)
      .map(({ check, advice }) => `${wanted} ${check}: ${advice}`),
  );
}
