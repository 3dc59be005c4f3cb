/**
 * The release that runs: what `package.json` says, beside which the program is installed.
 */

import { readFileSync } from 'node:fs';

// From build/src/cli.
const { version } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
) as { readonly version: string };

export const RELEASE = version;
