/** Data type operations in JSON: every form, exact numbers, and what is refused. */

import t from 'tap';
import { parseOperation } from '../../../src/api/http/datatype-json.ts';
import { shownToJson } from '../../../src/api/http/shown-json.ts';
import { runAtOnce } from '../../../src/base/sliced.ts';
import { utf8ToByteString } from '../../../src/base/bytes.ts';
import type { DatatypeName } from '../../../src/datatype/operation.ts';

function parsed(datatype: DatatypeName, body: string): unknown {
  const outcome = runAtOnce(parseOperation(Buffer.from(body), datatype));
  return typeof outcome === 'string' ? outcome : outcome.operation;
}

t.test('a counter takes an integer of any size in each of its forms', async (t) => {
  const increment = 123456789012345678901234567890n;
  t.strictSame(parsed('counter', `${increment}`), { kind: 'counter', increment });
  t.strictSame(parsed('counter', `{"decrement":${increment}}`), {
    kind: 'counter',
    increment: -increment,
  });
  t.strictSame(parsed('counter', '"decrement"'), { kind: 'counter', increment: -1n });
});

t.test('a counter refuses what is no integer, and numbers beyond the limit', async (t) => {
  for (const body of ['1.5', '1e3', '"5"', 'null', '{"increment":1,"decrement":1}']) {
    t.equal(parsed('counter', body), `Invalid operation on datatype 'counter': ${body}\n`);
  }
  t.match(parsed('counter', '9'.repeat(200)), /^Invalid operation/);
});

t.test('texts that look like marks stay as they are', async (t) => {
  t.strictSame(parsed('set', '{"add_all":["$a","#1","12 \\"3\\" \\\\"],"remove":"x"}'), {
    kind: 'set',
    adds: ['$a', '#1', '12 "3" \\'],
    removes: ['x'],
  });
});

t.test('what is removed from a set and added later is there, as it is written', async (t) => {
  const read = (adds: string[], removes: string[]) => ({ kind: 'set', adds, removes });
  t.strictSame(parsed('set', '{"remove":"x","add":"x"}'), read(['x'], []));
  t.strictSame(parsed('set', '{"add":"x","remove_all":["x","y"]}'), read(['x'], ['x', 'y']));
});

t.test('what other bodies may have beyond JSON, operations may have', async (t) => {
  t.strictSame(parsed('set', '{"add_all":["x","a\tb",],"remove":"\\d",}'), {
    kind: 'set',
    adds: ['x', 'a\tb'],
    removes: ['\\d'],
  });
});

t.test('malformed JSON does not become well-formed by marking it', async (t) => {
  for (const body of ['', '01', '{5:1}', '1-2', '[1', '"a', '1 2', '{"add":"x","context":"!"}']) {
    t.match(parsed('set', body), /^Couldn't decode JSON: /, body);
  }
  const outcome = runAtOnce(parseOperation(Buffer.from([0x22, 0xff, 0x22]), 'set'));
  t.equal(outcome, 'Malformed JSON submitted, invalid UTF-8');
});

t.test('a map names its fields with their types', async (t) => {
  const body = '{"remove":"a_b_flag","update":{"__proto___register":{"assign":"v"}}}';
  t.strictSame(parsed('map', body), {
    kind: 'map',
    removes: [{ name: 'a_b', kind: 'flag' }],
    updates: [
      {
        field: { name: '__proto__', kind: 'register' },
        operation: { kind: 'register', value: 'v' },
      },
    ],
  });
  t.equal(parsed('map', '{"update":{"é":1}}'), "Invalid map field name 'Ã©'\n");
});

t.test('of a wrong map the wrong part is told, of a wrong set all of it', async (t) => {
  const wrong = (datatype: string, shown: string) =>
    `Invalid operation on datatype '${datatype}': ${shown}\n`;
  t.equal(parsed('map', '{"add":"x","update":{}}'), wrong('map', '"add"'));
  t.equal(parsed('map', '{"remove":5}'), wrong('map', '{"remove":5}'));
  t.equal(
    parsed('map', '{"update":{"a_gset":{"add":"x"}}}'),
    wrong('map', '{"update":{"a_gset":{"add":"x"}}}'),
  );
  t.equal(parsed('map', '{"update":{"a_map":{"delete":"x"}}}'), wrong('map', '"delete"'));
  const set = '{"add":"x","update":[{"remove":5}]}';
  t.equal(parsed('set', set), wrong('set', set));
  t.equal(parsed('map', `{"update":{"a_set":${set}}}`), wrong('set', set));
  for (const body of ['{"update":5}', '{"update":[]}', '{"remove":[5]}']) {
    t.match(parsed('map', body), /^Couldn't decode JSON: .*\n$/, body);
  }
  t.match(parsed('set', '{"add":"x","context":null}'), /^Couldn't decode JSON: /);
});

t.test('what only grows takes parts too, and removes nothing', async (t) => {
  for (const datatype of ['gset', 'hll'] as const) {
    const body = '{"add":"a","update":[{"add_all":["b"]},{"update":{"add":"c"}}]}';
    t.strictSame(parsed(datatype, body), { kind: datatype, adds: ['a', 'b', 'c'] });
    t.match(parsed(datatype, '{"add":"a","remove":"b"}'), /^Invalid operation/);
    t.match(parsed(datatype, '{"update":{"remove_all":["b"]}}'), /^Invalid operation/);
    t.match(parsed(datatype, '{"remove_all":[]}'), /^Invalid operation/);
  }
});

t.test('a value whose bytes are not UTF-8 has no JSON form', async (t) => {
  const context = undefined;
  const elements = [utf8ToByteString('é')];
  const shown = { value: { kind: 'set' as const, elements }, context };
  t.equal(runAtOnce(shownToJson(shown, true)), '{"type":"set","value":["\\u00e9"]}');
  const broken = ['\xff' as (typeof elements)[number]];
  t.equal(
    runAtOnce(shownToJson({ value: { kind: 'set', elements: broken }, context }, true)),
    undefined,
  );
});
