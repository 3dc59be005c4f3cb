/**
 * `vertebra admin audit`: the newest entries of a node's audit log, and whether the log is whole.
 */

import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { AuditEntry } from '../audit/newest-entries.ts';
import type { AuditVerdict } from '../audit/verify-audit.ts';
import { terminalJson } from '../base/terminal-json.ts';
import type { Answer } from './admin-command.ts';
import { toCount } from './admin-load-command.ts';

interface AuditChoices {
  readonly limit?: number;
  readonly verify?: boolean;
  readonly folder?: string;
}

export function addAuditCommand(admin: Command, answerTo: Answer): void {
  admin
    .command('audit')
    .description('who changed something on this node, and which clients were refused')
    .option('--limit <number>', 'so many of the newest entries; default 20', toCount)
    .option('--verify', 'read the whole log and follow its chain; exits with 1 if it is broken')
    .option('--folder <folder>', 'with --verify: of this data folder; asks no node')
    .action(async ({ limit, verify, folder }: AuditChoices) => {
      if (verify !== true) {
        // The entries of the node that is asked would pass for those of that folder.
        if (folder !== undefined) admin.error('--folder goes with --verify', { exitCode: 2 });
        await answerTo('audit show', limit === undefined ? {} : { limit }, entriesText);
        return;
      }
      const verdict =
        folder === undefined
          ? ((await answerTo('audit verify', {}, verdictText)) as AuditVerdict)
          : await verifyFolder(folder, admin.opts<{ json?: boolean }>().json === true);
      if (!verdict.isWhole) process.exitCode = 1;
    });
}

async function verifyFolder(folder: string, isJson: boolean): Promise<AuditVerdict> {
  const { verifyAudit } = await import('../audit/verify-audit.ts');
  const verdict = await verifyAudit(resolve(folder));
  console.log(isJson ? JSON.stringify(verdict, undefined, 2) : verdictText(verdict));
  return verdict;
}

function entriesText(entries: readonly AuditEntry[]): string {
  return entries
    .map(({ time, node: _node, event, ...fields }) => {
      const rest = Object.entries(fields).map(([name, value]) => {
        return `${name}=${terminalJson(value)}`;
      });
      return [time, event, ...rest].join('  ');
    })
    .join('\n');
}

function verdictText({ isWhole, files, lines, since, lastHash, problems }: AuditVerdict): string {
  return [
    `${isWhole ? 'whole' : 'BROKEN'}: ${lines} lines in ${files} files since ${since ?? 'never'}`,
    ...problems.map((problem) => `  ${problem}`),
    `last line: ${lastHash}`,
  ].join('\n');
}
