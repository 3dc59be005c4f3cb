/** Two sites go in step, and whether they agree is judged key by key. */

import t from 'tap';
import { compareSites } from '../../bench/sites/agreement.ts';
import { Rendezvous } from '../../bench/sites/rendezvous.ts';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import type { VertebraClient } from '../../src/client/client.ts';

/** One bucket with these keys and values; null: deleted, and listed all the same. */
function siteOf(objects: Readonly<Record<string, string | null>>): VertebraClient {
  return {
    async *listKeys() {
      yield Object.keys(objects);
    },
    async get({ key }: { readonly key: string }) {
      const value = objects[key];
      if (typeof value !== 'string') return { kind: 'not-found', context: undefined };
      return { kind: 'found', context: Buffer.from(value), siblings: [{ value }] };
    },
  } as unknown as VertebraClient;
}

t.test('keys of either site are compared, and what was deleted at both is the same', async (t) => {
  const a = siteOf({ same: '1', gone: null, differs: '1', here: '1' });
  const b = siteOf({ same: '1', differs: '2', there: '1', there2: '1' });
  const [type, bucket] = ['t', 'b'].map(utf8ToByteString);
  t.same(await compareSites(a, b, [{ type: type!, bucket: bucket! }]), {
    keys: 6,
    onlyA: 1,
    onlyB: 2,
    differing: 1,
  });
});

t.test('who is first waits for the other, each time', async (t) => {
  const seen: string[] = [];
  const meeting = new Rendezvous(async (place) => {
    seen.push(`met at ${place}`);
  });
  const first = meeting.meet('one').then(() => seen.push('first'));
  t.same(seen, []);
  await meeting.meet('one');
  await first;
  t.equal(seen[0], 'met at one');
  await Promise.all([meeting.meet('two'), meeting.meet('two')]);
  t.same(seen, ['met at one', 'first', 'met at two']);
  const failing = new Rendezvous(() => Promise.reject(new Error('they never settle')));
  const both = await Promise.allSettled([failing.meet('end'), failing.meet('end')]);
  t.same(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
});
