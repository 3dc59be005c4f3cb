/**
 * `vertebra admin support-bundle`: what somebody who cannot log in needs to see, in one file.
 */

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { amountText } from './amount-text.ts';
import type { BundleSources, BundleSummary } from './support/bundle.ts';

export function addSupportCommand(admin: Command, sources: () => BundleSources): void {
  admin
    .command('support-bundle <file>')
    .description(
      'status, metrics, logs and configuration in one file (gzip of JSON lines), no keys',
    )
    .action(async (file: string) => {
      const { writeBundle } = await import('./support/bundle.ts');
      const summary = await writeBundle(resolve(file), sources());
      const isJson = admin.opts<{ json?: boolean }>().json === true;
      console.log(isJson ? JSON.stringify(summary, undefined, 2) : summaryText(summary));
    });
}

function summaryText({ file, sizeBytes, parts, missing }: BundleSummary): string {
  return [
    `${file}: ${parts.length} parts, ${amountText(sizeBytes)}`,
    ...missing.map(({ part, why }) => `missing: ${part}: ${why}`),
  ].join('\n');
}
