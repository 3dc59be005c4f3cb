/** Whether a full-sync takes it that a queue is for a bucket. */

import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import { isBucketTaken } from '../../src/replication/full-sync.ts';

const BUCKET = { type: 'siblings' as ByteString, bucket: 'b' as ByteString };
const KEYS = Array.from({ length: 100 }, (_, index) => `key ${index}` as ByteString);

function remoteThat(finds: (key: ByteString) => boolean) {
  const asked: ByteString[] = [];
  const takes = ({ key }: ObjectKey): Promise<boolean> => {
    asked.push(key);
    return Promise.resolve(finds(key));
  };
  return { asked, takes };
}

t.test('a bucket is taken if any of some keys is, for one may have gone meanwhile', async (t) => {
  const most = remoteThat((key) => key !== KEYS[0]);
  t.equal(await isBucketTaken(most, BUCKET, KEYS), true);
  t.equal(most.asked.length, 2);
  const none = remoteThat(() => false);
  t.equal(await isBucketTaken(none, BUCKET, KEYS), false);
  t.equal(new Set(none.asked).size, none.asked.length);
  t.ok(none.asked.length < 10, 'a few are asked for');
  t.equal(
    await isBucketTaken(
      remoteThat(() => false),
      BUCKET,
      KEYS.slice(0, 1),
    ),
    false,
  );
});
