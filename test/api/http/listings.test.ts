/** Lists whose client leaves before it has them: what they hold in the node is given back. */

import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { utf8ToByteString, type ByteString } from '../../../src/base/bytes.ts';
import { quoteNames } from '../../../src/api/http/json-listing.ts';
import { until } from '../pbc/served.ts';
import { connectRaw } from './raw-connection.ts';
import { serve } from './served.ts';

type Names = AsyncIterableIterator<readonly ByteString[]>;

/** Gives `batch` for ever, each time when `gate` has opened, until it is ended. */
class HeldNames implements Names {
  isEnded = false;
  askedCount = 0;
  open: () => void = () => {};
  readonly #gate = new Promise<void>((resolve) => {
    this.open = resolve;
  });
  readonly #batch: readonly ByteString[];

  constructor(batch: readonly ByteString[]) {
    this.#batch = batch;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<readonly ByteString[], undefined>> {
    this.askedCount += 1;
    await this.#gate;
    return { done: false, value: this.#batch };
  }

  async return(): Promise<IteratorResult<readonly ByteString[], undefined>> {
    this.isEnded = true;
    return { done: true, value: undefined };
  }
}

const MANY = Array.from({ length: 1_000 }, () => utf8ToByteString('k'.repeat(1_200)));

for (const path of [
  '/buckets/b/keys?keys=true',
  '/buckets/b/keys?keys=stream',
  '/riak/b?keys=true',
  '/riak/b?keys=stream',
  '/buckets?buckets=true',
  '/buckets?buckets=stream',
]) {
  t.test(`${path} ends when its client has left`, async (t) => {
    const { server, node, port, bugs } = await serve();
    t.teardown(() => server.close(0));
    const names = new HeldNames(MANY);
    node.listKeys = () => names;
    node.listBuckets = () => names;
    const client = await connectRaw(port);
    client.socket.write(`GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`);
    await until(() => names.askedCount > 0);
    client.socket.destroy();
    while ((await server.connectionCount()) > 0) await setImmediate();
    names.open();
    await until(() => names.isEnded);
    t.same(bugs, []);
  });
}

t.test('names that nobody began to read are given back too', async (t) => {
  const names = new HeldNames(MANY);
  await quoteNames(names).return?.();
  t.ok(names.isEnded);
  t.equal(names.askedCount, 0);
});
