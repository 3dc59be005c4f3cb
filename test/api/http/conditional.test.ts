/**
 * Conditional requests and the dates in them.
 */

import fc from 'fast-check';
import t from 'tap';
import { checkConditions } from '../../../src/api/http/conditional.ts';
import { formatHttpDate, parseHttpDate } from '../../../src/api/http/http-date.ts';

const SECOND = 784_111_777;
const state = {
  validators: { etag: 'e', lastModifiedMicros: SECOND * 1_000_000 + 999_999 },
  nowMicros: (SECOND + 100) * 1_000_000,
};

t.test('a formatted date is that of JavaScript, and parses to its second', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_000_000_000 }), (second) => {
      const text = formatHttpDate(second * 1_000_000 + 500_000);
      return text === new Date(second * 1_000).toUTCString() && parseHttpDate(text) === second;
    }),
  );
  t.end();
});

t.test('the three forms of HTTP dates are read, others are none', (t) => {
  t.equal(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT'), SECOND);
  t.equal(parseHttpDate('Sun, 06 Nov 1994 08:49:37'), SECOND, 'the zone is not looked at');
  t.equal(parseHttpDate('Sun Nov  6 08:49:37 1994'), SECOND);
  const inThisCentury = Date.UTC(2094, 10, 6, 8, 49, 37) / 1000;
  t.equal(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT'), inThisCentury);
  for (const text of ['', 'yesterday', '2040', '1994-11-06', 'Sun, 06-Nov-1994 08:49:37 GMT']) {
    t.equal(parseHttpDate(text), undefined, text);
  }
  t.end();
});

t.test('entity tags match by their quoted text only', (t) => {
  const check = (list: string, method = 'GET'): number | undefined =>
    checkConditions({ 'if-none-match': list }, method, state);
  t.equal(check('"e"'), 304);
  t.equal(check('"x", W/"e"'), 304);
  t.equal(check('*'), 304);
  t.equal(check('"e"', 'PUT'), 412);
  t.equal(check('e'), undefined);
  t.equal(check('"x", "e'), 304);
  t.equal(check(''), undefined);
  t.end();
});

t.test('what has no validators matches a star only', (t) => {
  const check = (headers: Record<string, string>, method = 'GET'): number | undefined =>
    checkConditions(headers, method, { ...state, validators: undefined });
  t.equal(check({ 'if-match': '*' }), undefined);
  t.equal(check({ 'if-match': '"e"' }), 412);
  t.equal(check({ 'if-none-match': '*' }), 304);
  t.equal(check({ 'if-none-match': '*' }, 'PUT'), 412);
  t.equal(check({ 'if-none-match': '"e"' }), undefined);
  const old = formatHttpDate(0);
  t.equal(check({ 'if-modified-since': old, 'if-unmodified-since': old }), undefined);
  t.end();
});

t.test('conditions are judged in order, dates to the second', (t) => {
  const same = formatHttpDate(SECOND * 1_000_000);
  const earlier = formatHttpDate((SECOND - 1) * 1_000_000);
  const future = formatHttpDate((SECOND + 1000) * 1_000_000);
  const check = (headers: Record<string, string>, method = 'GET'): number | undefined =>
    checkConditions(headers, method, state);
  t.equal(check({ 'if-match': '"x"', 'if-none-match': '"e"' }), 412);
  t.equal(check({ 'if-match': '"e"' }), undefined);
  t.equal(check({ 'if-unmodified-since': same }), undefined);
  t.equal(check({ 'if-unmodified-since': earlier }), 412);
  t.equal(check({ 'if-unmodified-since': 'rubbish' }), undefined);
  t.equal(check({ 'if-modified-since': same }), 304);
  t.equal(check({ 'if-modified-since': same }, 'PUT'), 304);
  t.equal(check({ 'if-modified-since': earlier }), undefined);
  t.equal(check({ 'if-modified-since': future }), undefined);
  t.end();
});
