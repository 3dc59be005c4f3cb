/**
 * The errors of the disk that the audit log lives with; all others are bugs.
 */

import { Fault, isFault } from '../base/fault.ts';

export function isFileMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** What a refusal of the system is, when the log could not be `done`; bugs are thrown on. */
export function toAuditFault(error: unknown, done: 'written' | 'read'): Fault {
  if (isFault(error)) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (
    !(error instanceof Error) ||
    typeof code !== 'string' ||
    !/^(E[A-Z0-9]+|ERR_FS_[A-Z]+)$/.test(code)
  ) {
    throw error;
  }
  const reason = `the audit log cannot be ${done}: ${error.message}`;
  return new Fault(code === 'ENOSPC' ? 'disk-full' : 'config', reason, { cause: error });
}
