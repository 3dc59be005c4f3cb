/**
 * What the page consists of, in memory: nothing that a request says becomes a path.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PAGE_DOCUMENT, PAGE_ICON } from './page-document.ts';
import { PAGE_STYLE } from './page-style.ts';

export interface PageFile {
  readonly mediaType: string;
  readonly body: string;
}

/** By path below the dashboard's own. */
export function pageFiles(): ReadonlyMap<string, PageFile> {
  const folder = join(import.meta.dirname, 'page');
  const scripts = readdirSync(folder).filter((name) => name.endsWith('.js'));
  return new Map([
    ['', { mediaType: 'text/html; charset=utf-8', body: PAGE_DOCUMENT }],
    ['style.css', { mediaType: 'text/css; charset=utf-8', body: PAGE_STYLE }],
    ['icon.svg', { mediaType: 'image/svg+xml', body: PAGE_ICON }],
    ...scripts.map((name): [string, PageFile] => [
      `page/${name}`,
      { mediaType: 'text/javascript; charset=utf-8', body: scriptOf(join(folder, name)) },
    ]),
  ]);
}

/** Without the name of its source map, which is not served. */
function scriptOf(path: string): string {
  return readFileSync(path, 'utf8').replace(/^\/\/# sourceMappingURL=.*$/m, '');
}
