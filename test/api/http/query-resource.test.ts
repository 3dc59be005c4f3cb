/**
 * The query API over HTTP: the people finder of a patient register, and every form of answer.
 */

import t from 'tap';
import { Fault } from '../../../src/base/fault.ts';
import { QUERY_LIMITS } from '../../../src/query/query-holds.ts';
import { connectRaw } from './raw-connection.ts';
import { ask, serve } from './served.ts';
import type { HttpOptions } from '../../../src/api/http/http-options.ts';
import type { ByteString } from '../../../src/base/bytes.ts';
import type { IndexMatch } from '../../../src/object/index-entries.ts';
import type { Reply, Served } from './served.ts';

const BUCKET = '/types/siblings/buckets/people';
const JSON_TYPE = { 'content-type': 'application/json' };

async function serving(
  t: { teardown(undo: () => Promise<void>): void },
  options: Partial<HttpOptions> = {},
): Promise<Served> {
  const served = await serve(options);
  t.teardown(() => served.server.close(0));
  return served;
}

async function putPerson(port: number, key: string, terms: readonly string[]): Promise<void> {
  const headers = { ...JSON_TYPE, 'x-riak-index-peoplefinder_bin': terms.join(', ') };
  const reply = await ask(port, `PUT ${BUCKET}/keys/${key}`, { headers, body: '{}' });
  if (reply.status !== 204) throw new Error(`${reply.status}`);
}

function query(port: number, document: unknown, path = `${BUCKET}/query`): Promise<Reply> {
  return ask(port, `POST ${path}`, { headers: JSON_TYPE, body: JSON.stringify(document) });
}

/** Birth date, family name, given names, postal code; one term for each name ever borne. */
const PEOPLE: Readonly<Record<string, readonly string[]>> = {
  '9990000018': ['19650501|SMITH|ANNE.MARIE.ANNE-MARIE|LS9_0TW', '19650501|JONES|ANNE|LS9_1GH'],
  '9990000026': ['19650502|SMYTHE|ANNE|LS1_4BT'],
  '9990000034': ['19660501|SMITHSON|JOANNE|LS1_4BT'],
  '9990000042': ['19670501|SMALL|MARIE.ANNE|BD1_1DU'],
  '9990000050': ['19710501|SMITH|ANNE|LS9_0TW'],
  '9990000069': ['19650501|SNOW|ANNE|LS9_0TW'],
};

const FINDER = {
  index_name: 'peoplefinder_bin',
  start_term: '19650101',
  end_term: '19691231~',
  evaluation_expression: 'delim($term, :dl1, ($dob, $fn, $gn, $pc)) | split($gn, :dl2, $gn)',
  filter_expression: 'begins_with($fn, :family) AND (:given IN $gn)',
};
const ASKED = { dl1: '|', dl2: '.', family: 'SM', given: 'ANNE' };

async function register(t: { teardown(undo: () => Promise<void>): void }): Promise<Served> {
  const served = await serving(t);
  for (const [key, terms] of Object.entries(PEOPLE)) await putPerson(served.port, key, terms);
  return served;
}

t.test('people are found by birth date, family-name prefix and given name', async (t) => {
  const { port } = await register(t);
  const found = await query(port, { substitutions: ASKED, query_list: [FINDER] });
  t.equal(found.status, 200);
  t.equal(found.headers['content-type'], 'application/json');
  t.equal(found.headers['x-riak-continuation'], undefined);
  t.equal(found.body.toString(), '{"keys":["9990000018","9990000026","9990000042"]}');

  const byName = await query(port, {
    substitutions: ASKED,
    accumulation_option: 'terms',
    accumulation_term: '$fn',
    query_list: [FINDER],
  });
  t.equal(
    byName.body.toString(),
    '{"terms":[{"SMALL":"9990000042"},{"SMITH":"9990000018"},{"SMYTHE":"9990000026"}]}',
  );
});

t.test('at most so many matches come, with the place where the next ones begin', async (t) => {
  const { port } = await register(t);
  const page = { substitutions: ASKED, accumulation_option: 'raw_keys', query_list: [FINDER] };
  const first = await query(port, { ...page, max_results: 2 });
  t.equal(first.body.toString(), '{"raw_keys":["9990000018","9990000026"]}');
  const continuation = first.headers['x-riak-continuation'];
  const second = await query(port, { ...page, max_results: 2, continuation });
  t.equal(second.body.toString(), '{"raw_keys":["9990000042"]}');
  t.equal(second.headers['x-riak-continuation'], undefined);
  const all = await query(port, { ...page, max_results: 50 });
  t.equal(all.headers['x-riak-continuation'], undefined);
});

t.test('each accumulation has its form', async (t) => {
  const { port } = await register(t);
  const evaluation_expression = 'index($term, 0, 4, $year)';
  const filter_expression = '$year BETWEEN "1965" AND "1966"';
  const range = { ...FINDER, evaluation_expression, filter_expression };
  const body = async (accumulation: string, rest = {}): Promise<string> => {
    const document = { accumulation_option: accumulation, query_list: [range], ...rest };
    return (await query(port, document)).body.toString();
  };
  const byYear = { accumulation_term: 'year' };
  t.equal(await body('count'), '{"count":4}');
  t.equal(await body('raw_count'), '{"raw_count":5}');
  t.equal(await body('term_with_count', byYear), '{"term_with_count":{"1965":3,"1966":1}}');
  t.equal(await body('term_with_rawcount', byYear), '{"term_with_rawcount":{"1965":4,"1966":1}}');
  t.match(await body('raw_terms', byYear), /^\{"raw_terms":\[\{"1965":"9990000018"\},/);
  t.match(await body('terms'), /\{"19660501\|SMITHSON\|JOANNE\|LS1_4BT":"9990000034"\}\]\}$/);
});

t.test('ranges are combined', async (t) => {
  const { port } = await register(t);
  const tagged = (aggregation_tag: number, filter_expression: string): unknown => {
    return { ...FINDER, start_term: '1', end_term: '2', aggregation_tag, filter_expression };
  };
  const document = {
    aggregation_expression: '($1 INTERSECT $2) SUBTRACT $3',
    substitutions: ASKED,
    query_list: [
      tagged(1, 'begins_with($fn, :family)'),
      tagged(2, '$pc = "LS9_0TW"'),
      tagged(3, '$dob > "19700101"'),
    ],
  };
  const reply = await query(port, document);
  t.equal(reply.body.toString(), '{"keys":["9990000018"]}');
});

t.test('a regular expression may filter whole terms', async (t) => {
  const { port } = await register(t);
  const range = {
    index_name: 'peoplefinder_bin',
    start_term: '19650501|SMITH|',
    end_term: '19650501|SMITH|~',
    regular_expression: '[^\\|]*\\|[^\\|]*\\|[^\\|]*ANNE',
  };
  const reply = await query(port, { query_list: [range] });
  t.equal(reply.body.toString(), '{"keys":["9990000018"]}');
});

t.test('an answer says how many entries could not be judged', async (t) => {
  const { port } = await serving(t);
  const long = 'b'.repeat(70_000);
  await putPerson(port, 'short', ['a', 'b']);
  await putPerson(port, 'long', [long]);
  const range = {
    index_name: 'peoplefinder_bin',
    start_term: 'a',
    end_term: 'c',
    evaluation_expression: 'index($term, 0, 1, $first)',
    filter_expression: 'begins_with($first, "a") OR begins_with($term, "b")',
  };
  const body = async (accumulation: string, rest = {}): Promise<string> => {
    const document = { accumulation_option: accumulation, query_list: [{ ...range, ...rest }] };
    return (await query(port, document)).body.toString();
  };
  t.equal(await body('keys'), '{"keys":["short"],"unjudged":1}');
  t.equal(await body('raw_keys'), '{"raw_keys":["short","short"],"unjudged":1}');
  t.equal(await body('raw_count'), '{"raw_count":2,"unjudged":1}');
  t.equal(await body('term_with_count'), '{"term_with_count":{"a":1,"b":1},"unjudged":1}');
  t.equal(await body('keys', { end_term: 'b' }), '{"keys":["short"]}', 'what was judged');
});

t.test('buckets of the default type are asked without one', async (t) => {
  const { port } = await serving(t);
  const headers = { ...JSON_TYPE, 'x-riak-index-f_bin': 'a' };
  await ask(port, 'PUT /buckets/b/keys/k', { headers, body: '1' });
  const range = { index_name: 'f_bin', start_term: 'a', end_term: 'a' };
  for (const path of ['/buckets/b/query', '/types/default/buckets/b/query']) {
    t.equal((await query(port, { query_list: [range] }, path)).body.toString(), '{"keys":["k"]}');
  }
  const empty = await query(port, { query_list: [range] }, '/buckets/other/query');
  t.equal(empty.body.toString(), '{"keys":[]}');
});

t.test('what is no query is answered with what is wrong', async (t) => {
  const { port } = await serving(t);
  const range = { index_name: 'f_bin', start_term: 'a', end_term: 'b' };
  const filter = { evaluation_expression: 'delim($term "|", ($a))', filter_expression: '$a = 1' };
  const bad = await query(port, { query_list: [{ ...range, ...filter }] });
  t.equal(bad.status, 400);
  t.equal(bad.headers['content-type'], 'application/json');
  t.same(JSON.parse(bad.body.toString()), {
    error:
      'Validation failure at stage query_evaluation due to Invalid eval function: ' +
      "expected ',', found a string at character 13",
  });
  const noJson = await ask(port, 'POST /buckets/b/query', { body: '{"query_list":' });
  t.match(noJson, { status: 400, body: Buffer.from('{"error":"Malformed json request"}') });
  const empty = await ask(port, 'POST /buckets/b/query');
  t.equal(empty.status, 400);
  const long = await ask(port, 'POST /buckets/b/query', { body: ' '.repeat(300_000) });
  t.match(long, { status: 400, body: /longer than 262144 bytes/ });
  const lost = await query(port, { continuation: 'AAAA', query_list: [range] });
  t.match(lost, { status: 400, body: /stage apply_continuation due to Invalid continuation/ });
  t.equal((await query(port, { query_list: [range] }, '/types/no/buckets/b/query')).status, 404);
  t.equal((await query(port, { query_list: [range] }, '/buckets/b/query/x')).status, 404);
  const read = await ask(port, 'GET /buckets/b/query');
  t.match(read, { status: 405, headers: { allow: 'POST' } });
});

t.test('an operator may switch queries off', async (t) => {
  const { port } = await serving(t, { disabledJobs: new Set(['secondary_index']) });
  const range = { index_name: 'f_bin', start_term: 'a', end_term: 'b' };
  const reply = await query(port, { query_list: [range] });
  t.equal(reply.status, 403);
  t.equal(reply.body.toString(), "Operation '{riak_kv,secondary_index}' is not enabled");
});

/** Batches of a million entries, then perhaps a fault. */
async function* manyEntries(
  count: number,
  end: { readonly fault?: Fault; readonly onLeft?: () => void } = {},
): AsyncIterableIterator<readonly IndexMatch[]> {
  try {
    for (let start = 0; start < count; start += 1_000) {
      yield Array.from({ length: Math.min(1_000, count - start) }, (_, index): IndexMatch => {
        const name = `${start + index}`.padStart(8, '0') as ByteString;
        return [name, name];
      });
    }
    if (end.fault !== undefined) throw end.fault;
  } finally {
    end.onLeft?.();
  }
}

const ALL = { index_name: 'f_bin', start_term: '', end_term: '~' };

t.test('a long answer is streamed, and holds nothing', async (t) => {
  const { port, node, counts } = await serving(t, {
    queryLimits: { ...QUERY_LIMITS, heldMaxBytes: 1_000 },
  });
  node.index = () => manyEntries(200_000);
  const reply = await query(port, { accumulation_option: 'raw_keys', query_list: [ALL] });
  t.equal(reply.status, 200);
  t.equal((JSON.parse(reply.body.toString()) as { raw_keys: string[] }).raw_keys.length, 200_000);
  t.equal(counts.get('query_entries_total'), 200_000);
  const keys = await query(port, { query_list: [ALL] });
  t.match(keys, { status: 400, body: /would hold more than 1000 bytes .* use raw_keys/ });
});

t.test('faults of the index have their statuses', async (t) => {
  const { port, node, bugs } = await serving(t);
  const document = { query_list: [ALL] };
  node.index = () => manyEntries(1, { fault: new Fault('timeout', 'no node answered') });
  t.match(await query(port, document), { status: 503, body: Buffer.from('{"error":"timeout"}') });
  node.index = () => manyEntries(1, { fault: new Fault('overload', 'too many scans') });
  t.match(await query(port, document), { status: 503, body: /Query with option keys failed/ });
  node.index = () => {
    throw new Fault('overload', 'too many scans');
  };
  t.match(await query(port, document), { status: 503, body: /Query with option keys failed/ });
  t.same(bugs, []);
});

t.test('names that JSON cannot hold are an error of their own', async (t) => {
  const { port, node } = await serving(t);
  async function* odd(): AsyncIterableIterator<readonly IndexMatch[]> {
    yield [['a' as ByteString, '\xff' as ByteString]];
  }
  node.index = odd;
  t.match(await query(port, { query_list: [ALL] }), { status: 500, body: /not_utf8/ });
});

t.test(
  'queries beyond the limit are refused at once, and those of clients that left end',
  async (t) => {
    const { port, node, bugs } = await serving(t, {
      queryLimits: { ...QUERY_LIMITS, queriesMax: 1 },
    });
    let leftCount = 0;
    let isStarted: () => void = () => {};
    const started = new Promise<void>((resolve) => (isStarted = resolve));
    node.index = () => {
      isStarted();
      return manyEntries(Infinity, { onLeft: () => (leftCount += 1) });
    };
    const body = JSON.stringify({ accumulation_option: 'raw_count', query_list: [ALL] });
    const connection = await connectRaw(port);
    connection.socket.write(
      `POST /buckets/b/query HTTP/1.1\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await started;
    t.match(await query(port, { query_list: [ALL] }), {
      status: 503,
      body: /Too many queries are under way/,
    });
    connection.socket.destroy();
    node.index = () => manyEntries(0);
    const deadline = Date.now() + 10_000;
    let reply = await query(port, { query_list: [ALL] });
    while (reply.status === 503 && Date.now() < deadline) {
      reply = await query(port, { query_list: [ALL] });
    }
    t.equal(reply.status, 200);
    t.equal(leftCount, 1);
    t.same(bugs, []);
  },
);
