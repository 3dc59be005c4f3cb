/** The names of spans between programs: what is one, and that nothing else is. */

import fc from 'fast-check';
import t from 'tap';
import { decodeTraceparent, encodeTraceparent } from '../../src/base/traceparent.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

function hex(digits: number): fc.Arbitrary<string> {
  const digit = fc.constantFrom(...Array.from('0123456789abcdef'));
  return fc.array(digit, { minLength: digits, maxLength: digits }).map((all) => all.join(''));
}

t.test('what is encoded is decoded to the same', (t) => {
  fc.assert(
    fc.property(hex(32), hex(16), fc.boolean(), (traceId, spanId, isSampled) => {
      fc.pre(/[^0]/.test(traceId) && /[^0]/.test(spanId));
      const context = { traceId, spanId, isSampled };
      const decoded = decodeTraceparent(encodeTraceparent(context));
      return JSON.stringify(decoded) === JSON.stringify(context);
    }),
  );
  t.end();
});

t.test('flags that are not known are passed over, and so is what a later version adds', (t) => {
  t.match(decodeTraceparent(`00-${TRACE}-${SPAN}-01`), { traceId: TRACE, isSampled: true });
  t.match(decodeTraceparent(`00-${TRACE}-${SPAN}-fe`), { spanId: SPAN, isSampled: false });
  t.match(decodeTraceparent(`cc-${TRACE}-${SPAN}-03-more`), { isSampled: true });
  t.end();
});

t.test('what is not exactly of the form says nothing', (t) => {
  const wrong = [
    '',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}-1`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    ` 00-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
    `cc-${TRACE}-${SPAN}-01-${'x'.repeat(1_000)}`,
    7,
    null,
    undefined,
    [`00-${TRACE}-${SPAN}-01`],
  ];
  for (const text of wrong) t.equal(decodeTraceparent(text), undefined, String(text));
  fc.assert(fc.property(fc.anything(), (any) => decodeTraceparent(any) === undefined));
  t.end();
});
