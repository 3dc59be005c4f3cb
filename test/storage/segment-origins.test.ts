/** An origin and a number name one sequence of bytes, also when the number comes again. */

import t from 'tap';
import fc from 'fast-check';
import {
  decodeOrigins,
  encodeOrigins,
  findOrigin,
  withOrigin,
} from '../../src/storage/segment-origins.ts';
import type { SegmentOrigin } from '../../src/storage/segment-origins.ts';

const originOf = (opening: number): string => opening.toString(16).padStart(32, '0');

t.test('openings, segments and losses in any order: each segment keeps its origin', (t) => {
  const lives = fc.array(fc.record({ written: fc.nat(4), lost: fc.array(fc.nat(30)) }));
  fc.assert(
    fc.property(lives, (openings) => {
      let known: readonly SegmentOrigin[] = [];
      const originBySegment = new Map<number, string>();
      for (const [opening, { written, lost }] of openings.entries()) {
        const origin = originOf(opening);
        const firstSegment = Math.max(0, ...originBySegment.keys()) + 1;
        const begun = { firstSegment, origin };
        known = decodeOrigins(encodeOrigins(withOrigin(known, begun, originBySegment.keys())));
        for (let segment = firstSegment; segment < firstSegment + written; segment += 1) {
          originBySegment.set(segment, origin);
        }
        for (const segment of lost) originBySegment.delete(segment);
        for (const [segment, expected] of originBySegment) {
          if (findOrigin(known, segment) !== expected) throw new Error(`segment ${segment}`);
        }
        if (known.length > originBySegment.size + lost.length + 1) throw new Error('it grows');
      }
    }),
  );
  t.end();
});

t.test('of a damaged entry nothing is believed', (t) => {
  const entry = encodeOrigins([{ firstSegment: 3, origin: originOf(9) }]);
  t.same(decodeOrigins(entry), [{ firstSegment: 3, origin: originOf(9) }]);
  t.equal(findOrigin(decodeOrigins(entry), 2), undefined, 'older than what is known');
  for (let index = 0; index < entry.length; index += 1) {
    const damaged = Buffer.from(entry);
    damaged[index] = (damaged[index] ?? 0) ^ 1;
    t.same(decodeOrigins(damaged), []);
  }
  t.same([undefined, Buffer.alloc(0), entry.subarray(1)].map(decodeOrigins), [[], [], []]);
  t.end();
});
