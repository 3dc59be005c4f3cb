/**
 * Byte ranges of a body.
 */

import fc from 'fast-check';
import t from 'tap';
import { applyRange, parseRanges } from '../../../src/api/http/ranges.ts';
import { parseMultipart } from './multipart-reader.ts';

t.test('a range is what it says, cut at the end of the body', (t) => {
  t.same(parseRanges('bytes=2-5', 10), [{ first: 2, last: 5 }]);
  t.same(parseRanges('bytes=2-', 10), [{ first: 2, last: 9 }]);
  t.same(parseRanges('bytes=-3', 10), [{ first: 7, last: 9 }]);
  t.same(parseRanges('bytes=-30', 10), [{ first: 0, last: 9 }]);
  t.same(parseRanges('bytes=5-99', 10), [{ first: 5, last: 9 }]);
  t.same(parseRanges('bytes=0-0, 9-9,20-,5-2', 10), [
    { first: 0, last: 0 },
    { first: 9, last: 9 },
  ]);
  t.same(parseRanges('bytes=2--5,+2-5', 10), [
    { first: 2, last: 5 },
    { first: 2, last: 5 },
  ]);
  t.same(parseRanges('bytes=--5', 10), [{ first: 0, last: 9 }]);
  t.same(parseRanges('bytes=8, ,2-3,', 10), [
    { first: 8, last: 9 },
    { first: 2, last: 3 },
  ]);
  t.end();
});

t.test('a range that makes no sense is as good as none', (t) => {
  const tooMany = `bytes=${'0-0,'.repeat(16)}0-0`;
  for (const range of ['', '-', '5-2', 'a-b', '10-', '-5-7', '2-3-4', '2 - 3', '0-1,x', '2.0-']) {
    t.same(parseRanges(`bytes=${range}`, 10), [], range);
  }
  for (const header of ['', 'items=0-1', 'Bytes=0-1', tooMany]) {
    t.same(parseRanges(header, 10), [], header);
  }
  t.same(parseRanges('bytes=0-', 0), []);
  t.end();
});

t.test('the last none of the bytes are a part', (t) => {
  t.same(parseRanges('bytes=-0', 10), [{ first: 10, last: 9 }]);
  t.same(parseRanges('bytes=-5', 0), [{ first: 0, last: -1 }]);
  const answer = { status: 200, headers: ['Content-Type', 'text/x'], body: '0123456789' };
  const part = applyRange(answer, 'bytes=-0', () => 'B');
  t.same([part.status, part.body], [206, Buffer.alloc(0)]);
  t.ok(part.headers.includes('bytes 10-9/10'));
  t.end();
});

t.test('ranges lie within the body, whatever the header', (t) => {
  const header = fc.stringMatching(/^bytes=[0-9,-]{0,30}$/);
  fc.assert(
    fc.property(header, fc.nat(100), (header, sizeBytes) => {
      for (const { first, last } of parseRanges(header, sizeBytes)) {
        t.ok(0 <= first && first <= last + 1 && last < sizeBytes);
      }
    }),
  );
  t.end();
});

t.test('several ranges come as parts with the type of the whole', (t) => {
  const answer = { status: 200, headers: ['Content-Type', 'text/x'], body: '0123456789' };
  const part = applyRange(answer, 'bytes=0-1,8-', () => 'B');
  t.equal(part.status, 206);
  t.match(part.headers, ['Content-Type', 'multipart/byteranges; boundary=B']);
  t.same(
    parseMultipart(part.body as Buffer, 'B').map(({ headers, body }) => [
      headers['content-type'],
      headers['content-range'],
      body.toString(),
    ]),
    [
      ['text/x', 'bytes 0-1/10', '01'],
      ['text/x', 'bytes 8-9/10', '89'],
    ],
  );
  t.equal(
    applyRange(answer, 'bytes=99-', () => 'B'),
    answer,
  );
  t.end();
});
