/** Numbers beyond what nodes tell each other, and walks beyond what one answer may hold. */

import t from 'tap';
import { utf8ToByteString } from '../../../src/base/bytes.ts';
import { EMPTY_VERSION_VECTOR, type Actor } from '../../../src/clock/version-vector.ts';
import type { Metadata, StoredObject } from '../../../src/object/stored-object.ts';
import { ask, serve } from './served.ts';

const HUGE = '99999999999999999999';
const MEGABYTE = 1024 * 1024;

t.test('a time-out of any length is one that peers can be told', async (t) => {
  const { server, node, port } = await serve();
  t.teardown(() => server.close(0));
  const timesMs: (number | undefined)[] = [];
  const { get, put, listKeys } = node;
  node.get = (request) => {
    timesMs.push(request.timeoutMs);
    return get.call(node, request);
  };
  node.put = (request) => {
    timesMs.push(request.timeoutMs);
    return put.call(node, request);
  };
  node.listKeys = (type, bucket, options) => {
    timesMs.push(options.timeoutMs);
    return listKeys.call(node, type, bucket, options);
  };
  const headers = { 'content-type': 'text/plain' };
  const path = '/buckets/b/keys/k';
  await ask(port, `PUT ${path}?timeout=${HUGE}`, { headers, body: 'v' });
  await ask(port, `GET ${path}?timeout=${HUGE}`);
  await ask(port, `GET /buckets/b/keys?keys=true&timeout=${HUGE}`);
  t.same(timesMs, [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1]);
});

t.test('a page of any length is one that peers can be asked for', async (t) => {
  const { server, node, port } = await serve();
  t.teardown(() => server.close(0));
  const limits: (number | undefined)[] = [];
  const { index } = node;
  node.index = (scan, options) => {
    limits.push(scan.limit);
    return index.call(node, scan, options);
  };
  await ask(port, `GET /buckets/b/index/age_int/1?max_results=${HUGE}`);
  t.same(limits, [Number.MAX_SAFE_INTEGER]);
});

/** An object that says of its value that it is that large. */
function objectOf(valueSizeBytes: number, metadata: Metadata): StoredObject {
  const sibling = {
    dot: { actor: 'one' as Actor, counter: 1 },
    lastModifiedMicros: 1,
    vtag: utf8ToByteString('vtag'),
    metadata,
    isTombstone: false,
    valueSizeBytes,
    value: Buffer.from('v'),
  };
  return { context: EMPTY_VERSION_VECTOR, siblings: [sibling] };
}

t.test('a walk to more values than an answer may hold is refused', async (t) => {
  const { server, node, port } = await serve();
  t.teardown(() => server.close(0));
  const bucket = utf8ToByteString('b');
  const links = Array.from({ length: 100 }, (_, index) => {
    return { bucket, key: utf8ToByteString(`${index}`), tag: utf8ToByteString('to') };
  });
  let sizeBytes = MEGABYTE;
  let readCount = 0;
  node.get = async () => {
    readCount += 1;
    return { kind: 'found', object: objectOf(sizeBytes, readCount === 1 ? { links } : {}) };
  };
  t.equal((await ask(port, 'GET /buckets/b/keys/k/_,_,1')).status, 200);
  t.equal(readCount, 101);
  [sizeBytes, readCount] = [4 * MEGABYTE, 0];
  const refused = await ask(port, 'GET /buckets/b/keys/k/_,_,1');
  t.equal(refused.status, 400);
  t.match(refused.body.toString(), /leads to values of more than/);
  t.ok(readCount < 60, 'and is not gone to its end');
});
