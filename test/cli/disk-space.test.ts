/** The room that a node keeps free counts on the file system of its data, and on no other. */

import { statSync } from 'node:fs';
import t from 'tap';
import { diskSpaceOf, reserveAt } from '../../src/cli/disk-space.ts';

t.test('a reserve is kept where the data is, of a small disk a quarter at most', async (t) => {
  const dataDir = t.testdir({ backups: {} });
  const folder = `${dataDir}/backups`;
  t.equal(await reserveAt(folder, { dataDir, reserveBytes: 5 }), 5);
  const { totalBytes = 0 } = (await diskSpaceOf(dataDir)) ?? {};
  t.equal(await reserveAt(folder, { dataDir, reserveBytes: 2 ** 60 }), totalBytes / 4);
  t.not(statSync('/proc').dev, statSync(dataDir).dev);
  t.equal(await reserveAt('/proc', { dataDir, reserveBytes: 5 }), 0);
});
