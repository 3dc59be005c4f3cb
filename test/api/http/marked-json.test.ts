/** Marked JSON: it takes what Riak's parser takes, keeps the digits of numbers, and lets others have turns. */

import fc from 'fast-check';
import t from 'tap';
import { isList, isObject, readMarkedJson, unmark } from '../../../src/api/http/marked-json.ts';
import { readJson } from '../../../src/base/json-input.ts';
import { runAtOnce } from '../../../src/base/sliced.ts';
import type { MarkedJson } from '../../../src/api/http/marked-json.ts';

const read = (text: string): MarkedJson | undefined => {
  return runAtOnce(readMarkedJson(Buffer.from(text)));
};

/** What other bodies are read as, or undefined: it is no JSON. */
function parsed(text: string): unknown {
  try {
    return readJson(Buffer.from(text));
  } catch {
    return undefined;
  }
}

function unmarked(json: MarkedJson | undefined): unknown {
  if (typeof json === 'string') {
    return json.startsWith('#') ? Number(json.slice(1)) : json.slice(1);
  }
  if (isList(json)) return json.map(unmarked);
  if (!isObject(json)) return json;
  const members = Object.entries(json).map(([name, value]) => [name.slice(1), unmarked(value)]);
  return Object.fromEntries(members);
}

const jsonText = fc
  .tuple(fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' }), fc.constantFrom('', ' ', '\n', '\t'))
  .map(([value, blank]) => JSON.stringify(value, undefined, blank));
const TOKENS = ['"', '\\', '{', '}', '[', ']', ',', ':', '-', '0', '1', '.', 'e', 'é', '\\u00e9'];
const ENDS = [',]', ',}', '\\d', '\n'];
const brokenText = fc
  .tuple(jsonText, fc.nat(), fc.nat({ max: 3 }), fc.constantFrom(...TOKENS, ...ENDS, 'true', ' '))
  .map(([text, at, cut, token]) => {
    const index = at % (text.length + 1);
    return text.slice(0, index) + token + text.slice(index + cut);
  });

t.test('what is taken of other bodies is taken, and nothing else', (t) => {
  const isAlike = (text: string): void => {
    const found = read(text);
    t.strictSame(unmarked(found), parsed(text), JSON.stringify(text));
  };
  fc.assert(
    fc.property(fc.oneof(jsonText, brokenText), (text) => {
      const [ours, theirs] = [unmarked(read(text)), parsed(text)];
      return (
        JSON.stringify(ours) === JSON.stringify(theirs) &&
        (ours === undefined) === (theirs === undefined)
      );
    }),
    { numRuns: 400 },
  );
  for (const text of [
    '',
    ' ',
    '01',
    '-',
    '1.',
    '.1',
    '1e',
    '+1',
    'nul',
    '"\\u00g0"',
    '"\\',
    '[,]',
    '[1,,]',
    '{,}',
    '{"a"}',
  ]) {
    isAlike(text);
  }
  for (const text of ['[1,]', '{"a":[ {} , ] ,\n}', '"a\tb\n\\n\u0001"', '"\\x\\é\\\n"']) {
    t.not(read(text), undefined, text);
    isAlike(text);
  }
  for (const text of ['{"a":1,"a":2}', '"\\ud800"', '{"__proto__":"x"}', '"a\u007f"', ' [ ] ']) {
    isAlike(text);
  }
  t.end();
});

t.test('numbers keep their digits, and what was read is shown as it was', (t) => {
  const text = '{"é\\"":[123456789012345678901234567890,-1.50e+3,true,null,"$#\\u0001"]}';
  t.equal(runAtOnce(unmark(read(text) as MarkedJson)), text.replace('é', '\\u00e9'));
  t.equal(read('9'.repeat(5_000)), `#${'9'.repeat(5_000)}`);
  t.end();
});

t.test('nesting is taken up to 64', (t) => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  t.not(read(nested(64)), undefined);
  t.equal(read(nested(65)), undefined);
  t.equal(read('['.repeat(1_000_000)), undefined);
  t.end();
});

t.test('a long body is read in slices', (t) => {
  const elements = Array.from({ length: 20_000 }, (_, index) => `element-${index}`);
  const reading = readMarkedJson(Buffer.from(JSON.stringify({ add_all: elements })));
  let sliceCount = 1;
  while (reading.next().done !== true) sliceCount += 1;
  t.ok(sliceCount >= 5, `${sliceCount} slices`);
  t.end();
});
