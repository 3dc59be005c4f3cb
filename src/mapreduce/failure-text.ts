/**
 * Failures of jobs and of phases as JSON, which both APIs send.
 */

import { quoteText } from './term-json.ts';
import type { JobFailure } from './job-ports.ts';

/** `{"phase":N,"error":…,"input":…,"type":…,"stack":…}`, in ASCII. */
export function phaseFailureJson(failure: Extract<JobFailure, { reason: 'phase' }>): string {
  const { phase, error, input, type, stack } = failure;
  return (
    `{"phase":${phase},"error":${quoteText(error)},"input":${quoteText(input)},` +
    `"type":${quoteText(type)},"stack":${quoteText(stack)}}`
  );
}
