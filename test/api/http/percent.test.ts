/**
 * Names in URLs: which bytes a piece of a path stands for.
 */

import fc from 'fast-check';
import t from 'tap';
import { Query } from '../../../src/api/http/query.ts';
import { decodeName, encodeName } from '../../../src/api/http/percent.ts';
import { splitPath } from '../../../src/api/http/routes.ts';
import { bytesToByteString } from '../../../src/base/bytes.ts';

const name = fc.uint8Array({ maxLength: 40 }).map(bytesToByteString);

t.test('an encoded name decodes to itself, whatever its bytes', (t) => {
  fc.assert(fc.property(name, (name) => decodeName(encodeName(name)) === name));
  t.end();
});

t.test('what is written into links needs no escaping there', (t) => {
  fc.assert(fc.property(name, (name) => /^[A-Za-z0-9.~_+%-]*$/.test(encodeName(name))));
  t.end();
});

t.test('a percent sign that two hex digits do not follow stands for itself', (t) => {
  t.equal(decodeName('100%'), '100%');
  t.equal(decodeName('a%zz'), 'a%zz');
  t.equal(decodeName('%4'), '%4');
  t.equal(decodeName('%%41'), '%A');
  t.equal(decodeName('a+b%2B%2f'), 'a b+/');
  t.end();
});

t.test('a path is split before it is decoded and empty pieces are dropped', (t) => {
  t.same(splitPath('//buckets/a%2Fb//keys/k+1/'), ['buckets', 'a/b', 'keys', 'k 1']);
  t.same(splitPath('/'), []);
  t.same(splitPath(''), []);
  fc.assert(
    fc.property(fc.array(name.filter((name) => name !== '')), (names) => {
      t.same(splitPath(`/${names.map(encodeName).join('/')}`), names);
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test('a query gives the first value of a name', (t) => {
  const query = new Query('r=1&r=2&empty&v%74ag=a%26b&=x');
  t.equal(query.get('r'), '1');
  t.equal(query.get('empty'), '');
  t.equal(query.get('vtag'), 'a&b');
  t.equal(query.get('w'), undefined);
  t.equal(new Query('').get('r'), undefined);
  t.end();
});
