/**
 * The `gzip` content coding of an answer, for whole bodies and for streams, off the main thread. What a
 * stream gives goes out at once, as it would uncoded: the coder holds nothing back.
 */

import { Readable, pipeline } from 'node:stream';
import { promisify } from 'node:util';
import { constants, createGzip, gzip } from 'node:zlib';
import type { Answer, Chunk } from './answer.ts';

const compress = promisify(gzip);

/** The same answer, its body coded. */
export async function gzipAnswer(answer: Answer): Promise<Answer> {
  const { status, headers, body } = answer;
  if (body === undefined) return answer;
  if (typeof body === 'string') return { status, headers, body: await compress(toBytes(body)) };
  if (Buffer.isBuffer(body)) return { status, headers, body: await compress(body) };
  return { status, headers, body: gzipStream(body) };
}

function toBytes(chunk: Chunk): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk;
}

async function* gzipStream(source: AsyncIterable<Chunk>): AsyncIterable<Buffer> {
  const coder = createGzip({ flush: constants.Z_SYNC_FLUSH });
  // A failure of the source destroys the coder, and its reader below throws it.
  pipeline(Readable.from(bytesOf(source)), coder, () => {});
  for await (const chunk of coder) yield chunk as Buffer;
}

async function* bytesOf(source: AsyncIterable<Chunk>): AsyncIterable<Buffer> {
  for await (const chunk of source) yield toBytes(chunk);
}
