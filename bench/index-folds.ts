/**
 * The folds of `index.ts`: over HTTP and Protocol Buffers, over all keys of one bucket.
 *
 * What comes back is thrown away as it comes, so that little of the machine's time is the generator's.
 */

import { request as httpRequest, type Agent } from 'node:http';
import { byteStringToUtf8, type ByteString } from '../src/base/bytes.ts';
import { encodeFrame } from '../src/api/pbc/framing.ts';
import { RpbAaeFoldFindKeysReq } from '../src/api/pbc/messages/aae-fold-messages.ts';
import { ProtoWriter } from '../src/api/pbc/messages/proto-writer.ts';
import { PbConnection } from './target/pb-connection.ts';
import type { DevNode } from '../src/cli/dev-cluster.ts';

const TIMEOUT_MS = 600_000;
const KEY_COUNT_CODE = 222;

export interface FoldedBucket {
  readonly type: ByteString;
  readonly bucket: ByteString;
  readonly keyCount: number;
}

/** Resolves with the keys that were gone over, when all of the answer has come. */
export type Fold = (node: DevNode) => Promise<number>;

/** `what`: the first and the last part of Riak's path. */
export function foldOverHttp(
  agent: Agent,
  { type, bucket, keyCount }: FoldedBucket,
  what: readonly [first: string, last: string],
): Fold {
  const [first, last] = what;
  const on = `types/${byteStringToUtf8(type)}/buckets/${byteStringToUtf8(bucket)}`;
  const path = `/${first}/${on}${last}`;
  return ({ host, httpPort: port }) =>
    new Promise((resolve, reject) => {
      const request = httpRequest({ host, port, path, agent }, (reply) => {
        reply.resume();
        reply.on('error', reject);
        reply.on('end', () => {
          if (reply.statusCode === 200) resolve(keyCount);
          else reject(new Error(`${path}: ${reply.statusCode}`));
        });
      });
      request.on('error', reject);
      request.end();
    });
}

/** All keys with their sizes, in one message. */
export function sizesOverPbc({ type, bucket, keyCount }: FoldedBucket): Fold {
  const fields = { key_range: false, modified_range: false, find_limit: 1 };
  const request = encodeFrame(new ProtoWriter(), RpbAaeFoldFindKeysReq, {
    type,
    bucket,
    finder: 'object_size',
    ...fields,
  });
  return async ({ host, pbcPort: port }) => {
    const connection = await PbConnection.open(
      { host, port },
      { timeoutMs: TIMEOUT_MS, login: undefined },
    );
    try {
      const { code } = await connection.ask(Buffer.concat(request));
      if (code !== KEY_COUNT_CODE) throw new Error(`a fold was answered with message ${code}`);
    } finally {
      connection.close();
    }
    return keyCount;
  };
}
