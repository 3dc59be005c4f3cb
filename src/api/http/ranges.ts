/**
 * Byte ranges of a whole body (RFC 9110, section 14).
 *
 * As with Riak a `Range` that cannot be read, or none of whose parts lies in the body, is as good as
 * none: the whole body is sent. More parts than a client can need are treated the same. Blanks between
 * commas do not count, nor do more dashes than one, and a first byte may stand without its dash.
 */

import { MultipartWriter } from './multipart.ts';
import { parseInteger } from './object-parameters.ts';
import type { Answer } from './answer.ts';

const PARTS_MAX = 16;

interface ByteRange {
  /** Both inclusive; of no bytes at all `last` is before `first`. */
  readonly first: number;
  readonly last: number;
}

/** The answer with the part of its body that `range` asks for, or the answer itself. */
export function applyRange(answer: Answer, range: string, boundary: () => string): Answer {
  const { body } = answer;
  if (answer.status !== 200 || body === undefined) return answer;
  if (typeof body !== 'string' && !Buffer.isBuffer(body)) return answer;
  const bytes = typeof body === 'string' ? Buffer.from(body, 'latin1') : body;
  const parts = parseRanges(range, bytes.length);
  const [first] = parts;
  if (first === undefined) return answer;
  const headers = [...answer.headers, 'Accept-Ranges', 'bytes'];
  if (parts.length === 1) {
    headers.push('Content-Range', contentRange(first, bytes.length));
    return { status: 206, headers, body: bytes.subarray(first.first, first.last + 1) };
  }
  return { status: 206, ...multipartOf(headers, { parts, bytes, boundary: boundary() }) };
}

function multipartOf(
  headers: string[],
  whole: {
    readonly parts: readonly ByteRange[];
    readonly bytes: Buffer;
    readonly boundary: string;
  },
): { readonly headers: string[]; readonly body: Buffer } {
  const { parts, bytes, boundary } = whole;
  const typeIndex = headers.indexOf('Content-Type') + 1;
  const writer = new MultipartWriter(boundary);
  for (const part of parts) {
    writer.part(
      [
        'Content-Type',
        headers[typeIndex] ?? 'application/octet-stream',
        'Content-Range',
        contentRange(part, bytes.length),
      ],
      bytes.subarray(part.first, part.last + 1),
    );
  }
  headers[typeIndex] = `multipart/byteranges; boundary=${boundary}`;
  return { headers, body: writer.end() };
}

function contentRange(range: ByteRange, sizeBytes: number): string {
  return `bytes ${range.first}-${range.last}/${sizeBytes}`;
}

/** The parts that lie in a body of `sizeBytes`; none where the header makes no sense. */
export function parseRanges(header: string, sizeBytes: number): readonly ByteRange[] {
  if (!header.startsWith('bytes=')) return [];
  const texts = header
    .slice('bytes='.length)
    .split(',')
    .filter((text) => text.trim() !== '');
  if (texts.length > PARTS_MAX) return [];
  const ranges: ByteRange[] = [];
  for (const text of texts) {
    const range = resolveRange(text.trim(), sizeBytes);
    if (range === 'malformed') return [];
    if (range !== undefined) ranges.push(range);
  }
  return ranges;
}

/** Undefined: nothing of the body lies in it. */
function resolveRange(text: string, sizeBytes: number): ByteRange | undefined | 'malformed' {
  if (text.startsWith('-')) return suffixRange(parseInteger(text.slice(1)), sizeBytes);
  const [firstText = '', lastText, ...others] = text.split('-').filter((piece) => piece !== '');
  const first = parseInteger(firstText);
  const last = lastText === undefined ? sizeBytes - 1 : parseInteger(lastText);
  if (first === undefined || last === undefined || others.length > 0) return 'malformed';
  return first < sizeBytes && first <= last
    ? { first, last: Math.min(last, sizeBytes - 1) }
    : undefined;
}

/** The last bytes: none of them is a part too, and of more than there are, or fewer than none, all are meant. */
function suffixRange(size: number | undefined, sizeBytes: number): ByteRange | 'malformed' {
  if (size === undefined) return 'malformed';
  const isWithin = 0 <= size && size <= sizeBytes;
  return { first: isWithin ? sizeBytes - size : 0, last: sizeBytes - 1 };
}
