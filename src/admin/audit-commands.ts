/**
 * The audit log by an operator: its newest entries, and whether it is whole.
 */

import type { AuditLog } from '../audit/audit-log.ts';
import { AdminRefusal, type AdminCommand } from './admin-server.ts';

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 1_000;

export function auditCommands(audit: AuditLog): Map<string, AdminCommand> {
  return new Map<string, AdminCommand>([
    ['audit show', async ({ limit = LIMIT_DEFAULT }) => audit.newest(toLimit(limit))],
    ['audit verify', async () => audit.verify()],
  ]);
}

function toLimit(limit: unknown): number {
  if (Number.isSafeInteger(limit) && Number(limit) > 0) return Math.min(Number(limit), LIMIT_MAX);
  throw new AdminRefusal('the limit is a number of entries');
}
