/**
 * Failures of jobs and of phases as JSON, which both APIs send.
 */

import { quoteText } from './term-json.ts';
import type { JobFailure } from './job-ports.ts';

/** `{"phase":N,"error":…,"input":…,"type":…,"stack":…}`, in ASCII. */
export function phaseFailureJson(failure: Extract<JobFailure, { reason: 'phase' }>): string {
  const { phase, error, input, type, stack } = failure;
  const members = Object.entries({ error, input, type, stack }).flatMap(([name, text]) => {
    return text === undefined ? [] : [`"${name}":${text === null ? 'null' : quoteText(text)}`];
  });
  return `{"phase":${phase},${members.join(',')}}`;
}
