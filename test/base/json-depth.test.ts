/**
 * The depth of JSON, told without parsing it.
 */

import fc from 'fast-check';
import t from 'tap';
import { jsonDepth } from '../../src/base/json-depth.ts';

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

t.test('of any value it is what walking through it finds', (t) => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      return jsonDepth(Buffer.from(JSON.stringify(value))) === depthOf(value);
    }),
  );
  t.equal(jsonDepth(Buffer.from('{"[[":"]\\"[[["}')), 1);
  t.equal(jsonDepth(Buffer.from('['.repeat(10_000))), 10_000);
  t.end();
});
