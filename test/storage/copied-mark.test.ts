/** The mark of a copy decides whether a store may have forgotten, and may itself lie in a damaged table. */

import t from 'tap';
import { copiedMarkKey } from '../../src/storage/keys.ts';
import { LevelDbStore } from '../../src/storage/leveldb-store.ts';
import { VirtualHost } from '../replica/virtual-host.ts';
import { Power } from './power.ts';
import { SimulatedFiles } from './simulated-files.ts';
import { put } from './store-compliance.ts';

t.test(
  'a mark that cannot be read is taken for one, and goes with the next identity',
  async (t) => {
    const host = new VirtualHost(1);
    const files = new SimulatedFiles(host.random);
    const power = new Power(host, Infinity, true);
    const unreadable = Object.assign(new Error('corrupted block'), { code: 'LEVEL_CORRUPTION' });
    let isDamaged = true;
    const open = (): Promise<LevelDbStore> => {
      const database = files.database(power);
      const get = (key: Buffer): Promise<Buffer | undefined> => {
        return isDamaged && key.equals(copiedMarkKey())
          ? Promise.reject(unreadable)
          : database.get(key);
      };
      const ports = {
        database: { ...database, get },
        folder: files.folder(power),
        defer: (run: () => void) => void Promise.resolve().then(run),
        mayHaveForgotten: false,
      };
      return LevelDbStore.open(host, ports, {});
    };
    const store = await open();
    t.equal(store.mayHaveForgotten, true);
    t.ok(host.logged.includes('store.copy_mark_unreadable'));
    await store.write([put('a', 'b')]);
    await store.endCopy();
    await store.close();
    // The removal is newer than the damaged table.
    isDamaged = false;
    const again = await open();
    t.equal(again.mayHaveForgotten, false);
    t.same(await again.get(Buffer.from('a')), Buffer.from('b'));
    await again.close();
  },
);
