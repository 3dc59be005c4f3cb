/** A node starts on what an earlier build left on its disk, and everything is there. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { spawnUntraced } from '../untraced.ts';
import { pinnedStores } from './pinned.ts';
import { holdsEverything, newNode, putStore } from './stored-node.ts';

spawnUntraced();

for (const { number, store } of pinnedStores()) {
  t.test(`the pinned store ${number} is started, and everything is there`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'vertebra-pinned-'));
    const stored = await newNode(folder);
    t.teardown(async () => {
      await stored.cluster.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    await putStore(stored.node, store);
    await stored.cluster.start();
    await holdsEverything(t, stored);
  });
}
