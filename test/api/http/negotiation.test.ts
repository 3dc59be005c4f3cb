/**
 * Which form a client gets.
 */

import fc from 'fast-check';
import t from 'tap';
import { chooseMediaType, chooseToken } from '../../../src/api/http/negotiation.ts';

const SIBLINGS = ['text/plain', 'multipart/mixed'];

t.test('media types are chosen by weight, then by the last listed', (t) => {
  const choose = (accept: string | undefined): string | undefined =>
    chooseMediaType(accept, SIBLINGS);
  t.equal(choose(undefined), 'text/plain');
  t.equal(choose('*/*'), 'text/plain');
  t.equal(choose('multipart/mixed'), 'multipart/mixed');
  t.equal(choose('Multipart/*'), 'multipart/mixed');
  t.equal(choose('multipart/mixed, text/plain'), 'text/plain');
  t.equal(choose('text/plain, multipart/mixed'), 'multipart/mixed');
  t.equal(choose('text/plain;q=0.5, multipart/mixed;q=0.4'), 'text/plain');
  t.equal(choose('*/*;q=0.5, multipart/mixed'), 'multipart/mixed');
  t.equal(choose('text/plain;q=0'), 'text/plain', 'a weight of 0 is last, not excluded');
  t.equal(choose('application/json'), undefined);
  t.equal(choose('text/plain;level=1'), undefined);
  t.equal(choose('text/plain;'), 'text/plain');
  t.equal(choose('text/plain; level; =1'), 'text/plain');
  t.equal(choose('rubbish'), undefined);
  t.equal(choose('*/*;level=1'), undefined);
  t.equal(choose('text/plain;q=.5'), 'text/plain');
  t.equal(choose('text/plain, */*;q=high'), undefined, 'a weight that is none spoils all');
  t.end();
});

t.test('a range with parameters matches the same parameters only', (t) => {
  const offered = ['text/plain; level=1'];
  t.equal(chooseMediaType('text/plain;level=1;q=0.3', offered), offered[0]);
  t.equal(chooseMediaType('text/plain', offered), undefined);
  t.equal(chooseMediaType('*/*', offered), offered[0]);
  t.equal(chooseMediaType('text/*', offered), offered[0]);
  t.equal(chooseMediaType('text/*;level=2', offered), undefined);
  t.equal(chooseMediaType('*/*;level=1', ['text/plain']), undefined);
  t.end();
});

t.test('blanks between two commas spoil a list of media ranges', (t) => {
  t.equal(chooseMediaType('text/plain, ,text/html', ['text/plain']), undefined);
  t.equal(chooseMediaType('text/plain,,text/html,', ['text/plain']), 'text/plain');
  t.equal(chooseToken('gzip, ,', ['identity', 'gzip'], 'identity'), 'gzip');
  t.end();
});

t.test('a coding is compressed only where that is asked for', (t) => {
  const choose = (header: string | undefined): string | undefined =>
    chooseToken(header, ['identity', 'gzip'], 'identity');
  t.equal(choose(undefined), 'identity');
  t.equal(choose('gzip'), 'gzip');
  t.equal(choose('gzip, deflate'), 'gzip');
  t.equal(choose('gzip;q=0.5, identity;q=0.4'), 'gzip');
  t.equal(choose('gzip, identity'), 'identity');
  t.equal(choose('*'), 'identity');
  t.equal(choose('identity;q=0, *'), 'gzip');
  t.equal(choose('br'), 'identity');
  t.equal(choose('gzip;q=0'), 'identity');
  t.equal(choose('identity;q=0'), undefined);
  t.equal(choose('*;q=0'), undefined);
  t.end();
});

t.test('a stored coding goes out unless it is excluded', (t) => {
  const choose = (header: string | undefined): string | undefined =>
    chooseToken(header, ['gzip'], 'identity');
  t.equal(choose(undefined), 'gzip');
  t.equal(choose('GZIP'), 'gzip');
  t.equal(choose('*'), 'gzip');
  t.equal(choose('identity'), undefined);
  t.equal(choose('deflate'), undefined);
  t.end();
});

t.test('a charset that is not named goes out only if it is ISO-8859-1', (t) => {
  const choose = (header: string, offered: string): string | undefined =>
    chooseToken(header, [offered], 'ISO-8859-1');
  t.equal(choose('UTF-8', 'utf-8'), 'utf-8');
  t.equal(choose('*', 'utf-8'), 'utf-8');
  t.equal(choose('iso-8859-5', 'utf-8'), undefined);
  t.equal(choose('utf-8;q=0', 'utf-8'), undefined);
  t.equal(choose('utf-8', 'ISO-8859-1'), 'ISO-8859-1');
  t.equal(choose('utf-8, *;q=0', 'ISO-8859-1'), undefined);
  t.end();
});

t.test('what is chosen is on offer, whatever the header', (t) => {
  const piece = fc.constantFrom('*', '/', ';', ',', 'q=', '0', '.5', 'text', 'plain', 'gzip', ' ');
  const header = fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(fc.oneof(header, fc.string()), (header) => {
      t.ok([...SIBLINGS, undefined].includes(chooseMediaType(header, SIBLINGS)));
      t.ok(['gzip', 'br', undefined].includes(chooseToken(header, ['gzip', 'br'], 'identity')));
    }),
  );
  t.end();
});
