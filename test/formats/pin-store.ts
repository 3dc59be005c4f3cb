/**
 * Writes the next pinned store, `store-NUMBER.json`: `node build/test/formats/pin-store.js`.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PINNED_FOLDER, pinnedStores } from './pinned.ts';
import { fill, newNode, stopped, takeStore } from './stored-node.ts';

const folder = mkdtempSync(join(tmpdir(), 'vertebra-pin-'));
const stored = await newNode(folder);
try {
  await stored.cluster.start();
  await fill(stored);
  await stopped(stored);
  const { entries, files } = await takeStore(stored.node);
  const lines = entries.map((entry) => `  ${JSON.stringify(entry)}`).join(',\n');
  const text = `{\n "entries": [\n${lines}\n ],\n "files": ${JSON.stringify(files)}\n}\n`;
  const number = (pinnedStores().at(-1)?.number ?? 0) + 1;
  const path = new URL(`store-${number}.json`, PINNED_FOLDER);
  writeFileSync(path, text);
  console.log(`${path.pathname}: ${entries.length} entries, ${Object.keys(files).length} files`);
} finally {
  await stored.cluster.stop();
  rmSync(folder, { recursive: true, force: true });
}
