/**
 * Runs `vertebra migrate export` and `import`: one end is a file.
 */

import { resolve } from 'node:path';
import { exportObjects } from '../migrate/export-objects.ts';
import { FILE_PLACE, importObjects } from '../migrate/import-objects.ts';
import { KeyFile } from '../migrate/key-file.ts';
import { Ledger } from '../migrate/ledger.ts';
import { loginOf } from './login-options.ts';
import type { ExportArguments, ImportArguments } from './migrate-command.ts';
import { openEnd, placesIn, print, scopeIn } from './migrate-ends.ts';
import type { RequestArguments } from './migrate-ends.ts';
import { exportText, importText } from './migrate-text.ts';

export interface FileArguments extends RequestArguments {
  readonly rate?: number;
  readonly concurrency: number;
  readonly failuresMax: number;
  readonly keysTo?: string;
  readonly quiet?: boolean;
}

export async function runExport(file: string, options: ExportArguments): Promise<void> {
  const login = loginOf(options, 'from');
  const source = await openEnd({ word: 'from', nodes: options.from, login }, options);
  let keyFile: KeyFile | undefined;
  try {
    keyFile = await KeyFile.open(options.keysTo);
    const summary = await exportObjects(
      { source, keyFile },
      {
        ...loadOf(options),
        file: resolve(file),
        scope: scopeIn(options),
        expected: options.expect,
      },
    );
    print(options, summary, exportText);
    if (!summary.isWhole || summary.failed > 0) process.exitCode = 1;
  } finally {
    await keyFile?.close();
    source.close();
  }
}

export async function runImport(file: string, options: ImportArguments): Promise<void> {
  const login = loginOf(options, 'to');
  const target = await openEnd({ word: 'to', nodes: options.to, login }, options);
  let ledger: Ledger | undefined;
  let keyFile: KeyFile | undefined;
  try {
    const to = placesIn(options.to);
    const { ledger: folder } = options;
    if (folder !== undefined) {
      ledger = await Ledger.open({ folder, from: [FILE_PLACE], to, isReverse: false });
    }
    keyFile = await KeyFile.open(options.keysTo);
    const summary = await importObjects(
      { target, ledger, keyFile },
      {
        ...loadOf(options),
        file: resolve(file),
        carriesDeletes: false,
        deletesMax: 0,
        onConflict: options.onConflict,
      },
    );
    print(options, summary, importText);
    if (!summary.isSettled) process.exitCode = 1;
  } finally {
    await keyFile?.close();
    await ledger?.close();
    target.close();
  }
}

function loadOf({ rate, concurrency, failuresMax, quiet }: FileArguments) {
  return { rate, concurrency, failuresMax, isQuiet: quiet === true };
}
