/**
 * One line of the audit log, and the chain that the lines are.
 *
 * A line is a JSON object whose `previous` is the SHA-256 of the bytes of the line before it, without
 * its end, over the ends of files. So whoever changes, takes out or puts in a line must write every later one
 * anew, and the last hash, noted elsewhere, tells that too. The first of all lines names `NO_LINE`.
 */

import { createHash } from 'node:crypto';
import { terminalJson } from '../base/terminal-json.ts';

/** What comes before the first line. */
export const NO_LINE = '0'.repeat(64);
/** Of one line, its end included; what would be longer is left out and told by its size. */
export const LINE_MAX_BYTES = 32 * 1024;

/** What is recorded, beside when and where. */
export interface AuditEvent {
  /** Such as `command` or `login-refused`. */
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface AuditStamp {
  readonly previous: string;
  /** ISO 8601. */
  readonly time: string;
  readonly node: string;
}

/** No event says when, where or behind which line it is: the stamp does. */
export function encodeLine(stamp: AuditStamp, event: AuditEvent): Buffer {
  const line = Buffer.from(`${terminalJson({ ...stamp, ...event, ...stamp })}\n`);
  if (line.length <= LINE_MAX_BYTES) return line;
  const short = { event: event.event.slice(0, 100), omittedBytes: line.length };
  return Buffer.from(`${terminalJson({ ...stamp, ...short })}\n`);
}

/** `line` without its end. */
export function hashLine(line: Buffer): string {
  return createHash('sha256').update(line).digest('hex');
}

/** The line's fields, or undefined: it is none. */
export function decodeLine(line: Buffer): (AuditStamp & AuditEvent) | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line.toString());
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { previous, time, node, event } = value as Record<string, unknown>;
  const isEntry = [previous, time, node, event].every((each) => typeof each === 'string');
  return isEntry ? (value as AuditStamp & AuditEvent) : undefined;
}
