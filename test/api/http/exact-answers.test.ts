/**
 * Answers as Riak's code gives them where no recorded scenario shows one: which objection comes first,
 * its words and type, and what stands in its headers.
 */

import t from 'tap';
import { gunzipSync } from 'node:zlib';
import { ask, serve } from './served.ts';
import type { Test } from 'tap';
import type { Reply } from './served.ts';

const TEXT = { 'Content-Type': 'text/plain' };
const JSON_TYPE = { 'Content-Type': 'application/json' };
const N_VAL = 'Specified w/dw/pw/node_confirms values invalid for bucket n value of 3\n';
const KEY = '/buckets/b/keys/k';

type Send = Parameters<typeof ask>[2];
type Asking = (line: string, send?: Send) => Promise<Reply>;

async function asking(t: Test): Promise<Asking> {
  const { server, port } = await serve();
  t.teardown(() => server.close(0));
  return (line, send) => ask(port, line, send);
}

function put(ask: Asking, path: string, headers: Record<string, string> = {}): Promise<Reply> {
  return ask(`PUT ${path}`, { headers: { ...TEXT, ...headers }, body: 'x' });
}

t.test('a quorum that cannot be is told in the type that was negotiated', async (t) => {
  const ask = await asking(t);
  const json = await ask(`PUT ${KEY}?w=4`, { headers: JSON_TYPE, body: '{}' });
  t.match([json.status, String(json.body)], [400, N_VAL]);
  t.equal(json.headers['content-type'], 'application/json');
  await put(ask, KEY);
  const removal = await ask(`DELETE ${KEY}?w=4`);
  t.match([removal.status, String(removal.body)], [400, N_VAL]);
  t.equal(removal.headers['content-type'], 'text/html');
});

t.test('a key that was made is told though the write fails', async (t) => {
  const ask = await asking(t);
  const failed = await ask('POST /buckets/b/keys?w=4', { headers: TEXT, body: 'x' });
  t.match([failed.status, failed.headers.location], [400, /^\/buckets\/b\/keys\/\w+$/]);
  const untyped = await ask('POST /buckets/b/keys', { headers: { 'Content-Type': 'x' } });
  t.match([untyped.status, untyped.headers.location], [415, /^\/buckets\/b\/keys\/\w+$/]);
  // The node in memory has no data types.
  const typed = await ask('POST /types/counters/buckets/b/datatypes', {
    headers: JSON_TYPE,
    body: '1',
  });
  t.match([typed.status, typed.headers.location], [403, /^\/types\/counters\/buckets\/b\/keys\//]);
});

t.test('a media type is judged last, and only where something is put in place', async (t) => {
  const ask = await asking(t);
  const odd = { 'Content-Type': 'rubbish' };
  t.equal((await put(ask, KEY, { ...odd, 'If-Match': '*' })).status, 412);
  t.equal((await put(ask, KEY, { ...odd, Accept: 'text/plain' })).status, 406);
  t.equal((await put(ask, '/types/none/buckets/b/keys/k', odd)).status, 404);
  t.equal((await put(ask, KEY, { 'Content-Type': 'text/Plain' })).status, 415);
  t.equal((await ask(`POST ${KEY}`, { headers: odd, body: 'x' })).status, 204);
  t.equal((await ask(`GET ${KEY}`)).headers['content-type'], 'rubbish');
  const properties = '/types/none/buckets/b/props';
  const body = '{"props":{}}';
  t.equal((await ask(`PUT ${properties}`, { headers: TEXT, body })).status, 415);
});

t.test('an empty value that is returned is no body', async (t) => {
  const ask = await asking(t);
  const stored = await ask(`PUT ${KEY}?returnbody=true`, { headers: TEXT });
  t.equal(stored.status, 204);
  t.ok(stored.headers.etag);
  const made = await ask('POST /buckets/b/keys?returnbody=true', { headers: TEXT });
  t.equal(made.status, 201);
});

t.test('an answer without a body names what was negotiated', async (t) => {
  const ask = await asking(t);
  const json = { headers: JSON_TYPE, body: '{}' };
  const answers: readonly [Reply, number, string][] = [
    [await put(ask, KEY), 204, 'text/plain'],
    [await ask(`PUT ${KEY}`, json), 204, 'application/json'],
    [await ask('POST /buckets/b/keys', json), 201, 'application/json'],
    [await ask(`PUT ${KEY}?returnbody=true`, { headers: TEXT }), 204, 'text/plain'],
    [await ask('PUT /buckets/b/props', { ...json, body: '{"props":{}}' }), 204, 'application/json'],
    [await ask('DELETE /buckets/b/props'), 204, 'application/json'],
    [await ask(`DELETE ${KEY}`), 204, 'text/html'],
  ];
  for (const [{ status, headers, body }, expected, mediaType] of answers) {
    t.same([status, headers['content-type'], body.length], [expected, mediaType, 0]);
  }
  const coded = { 'Accept-Encoding': 'gzip' };
  const coding = ({ status, headers }: Reply) => [status, headers['content-encoding']];
  const stored = await put(ask, KEY, coded);
  t.same([stored.headers.vary, ...coding(stored)], ['Accept-Encoding', 204, 'gzip']);
  t.same(coding(await ask(`DELETE ${KEY}`, { headers: coded })), [204, 'gzip']);
  await put(ask, KEY);
  const any = { 'If-None-Match': '*' };
  t.same(coding(await ask(`GET ${KEY}`, { headers: { ...any, ...coded } })), [304, 'gzip']);
  t.same(coding(await ask(`GET ${KEY}`, { headers: any })), [304, undefined]);
  await put(ask, KEY, { 'Content-Encoding': 'br' });
  t.same(coding(await ask(`GET ${KEY}`, { headers: any })), [304, 'br']);
});

t.test('a streamed list is coded where that is asked for', async (t) => {
  const ask = await asking(t);
  await put(ask, KEY);
  const headers = { 'Accept-Encoding': 'gzip' };
  const stream = await ask('GET /buckets/b/keys?keys=stream', { headers });
  t.same([stream.headers.vary, stream.headers['content-encoding']], ['Accept-Encoding', 'gzip']);
  t.equal(String(gunzipSync(stream.body)), '{"keys":["k"]}{"keys":[]}');
  const plain = await ask('GET /buckets/b/keys?keys=stream');
  t.same([plain.headers.vary, plain.headers['content-encoding']], ['Accept-Encoding', undefined]);
});

t.test('what is not there is told before what is wrong with the wish to see it', async (t) => {
  const ask = await asking(t);
  const headers = { Accept: 'application/json', 'If-Match': '"e"' };
  const counter = await ask('GET /buckets/b/counters/none', { headers });
  t.match([counter.status, String(counter.body)], [404, 'not found\n']);
  await put(ask, KEY);
  t.equal((await ask(`GET ${KEY}?vtag=none`)).status, 404);
  t.equal((await ask(`GET ${KEY}?vtag=none`, { headers })).status, 406, 'but for a vtag');
});

t.test('a job whose results come in parts is offered as JSON too', async (t) => {
  const ask = await asking(t);
  const send = (Accept: string) => {
    return { headers: { ...JSON_TYPE, Accept }, body: '{"inputs":"b","query":[]}' };
  };
  const path = 'POST /mapred?chunked=true';
  t.equal((await ask(path, send('multipart/mixed'))).status, 406);
  t.match((await ask(path, send('*/*'))).headers['content-type'], /^multipart\/mixed;boundary=/);
});

t.test('a fragment is no part of a name', async (t) => {
  const ask = await asking(t);
  t.equal((await put(ask, `${KEY}#part?returnbody=true`)).status, 204);
  t.equal(String((await ask(`GET ${KEY}?r=1#x`)).body), 'x');
});

t.test('a walk shows a target once for each tag, and what was just deleted', async (t) => {
  const ask = await asking(t);
  const to = (key: string, tag: string) => `</buckets/b/keys/${key}>; riaktag="${tag}"`;
  await put(ask, KEY, { Link: [to('l', 'x'), to('l', 'x'), to('l', 'y')].join(', ') });
  await put(ask, '/buckets/b/keys/l', { Link: to('gone', 'x') });
  await put(ask, '/buckets/b/keys/gone');
  await ask('DELETE /buckets/b/keys/gone');
  const locations = async (steps: string) => {
    const { body } = await ask(`GET ${KEY}/${steps}`);
    return String(body).match(/Location: .*|X-Riak-Deleted: true/g);
  };
  const there = 'Location: /buckets/b/keys/l';
  t.same(await locations('_,_,1'), [there, there]);
  t.same(await locations('_,x,1'), [there]);
  const gone = ['Location: /buckets/b/keys/gone', 'X-Riak-Deleted: true'];
  t.same(await locations('_,_,0/_,_,1'), gone);
});

t.test('a DELETE answers in HTML, and no one has to take that', async (t) => {
  const ask = await asking(t);
  await put(ask, KEY);
  t.equal((await ask(`DELETE ${KEY}`, { headers: { Accept: 'application/json' } })).status, 406);
  const missing = await ask('DELETE /buckets/b/keys/none', { headers: { 'If-None-Match': '"e"' } });
  t.match([missing.status, missing.headers['content-type']], [404, 'text/html']);
  t.equal((await ask(`DELETE ${KEY}`, { headers: { Accept: '*/*' } })).status, 204);
});

t.test('faults of index headers come sorted, each once', async (t) => {
  const ask = await asking(t);
  const reply = await put(ask, KEY, {
    'x-riak-index-zebra': 'x, y',
    'x-riak-index-b_int': 'two',
    'x-riak-index-a_int': 'x, one',
  });
  t.equal(
    String(reply.body),
    "Could not parse field 'a_int', value 'one'.\n" +
      "Could not parse field 'a_int', value 'x'.\n" +
      "Could not parse field 'b_int', value 'two'.\n" +
      "Unknown field type for field: 'zebra'.\n",
  );
});

t.test('short header names are kept as Erlang writes them, long ones as they came', async (t) => {
  const ask = await asking(t);
  await put(ask, KEY, { 'x-riak-meta-COLOR': 'red', 'x-riak-meta-rather-long': 'blue' });
  t.equal((await ask(`GET ${KEY}`)).headers['x-riak-meta-color'], 'red');
  const { rawHeaders } = await ask(`GET ${KEY}`);
  t.ok(rawHeaders.includes('X-Riak-Meta-Color'));
  t.ok(rawHeaders.includes('x-riak-meta-rather-long'));
});

t.test('what is no number is printed as Erlang prints a list of characters', async (t) => {
  const ask = await asking(t);
  const told = async (path: string): Promise<string> => String((await ask(`GET ${path}`)).body);
  t.equal(await told(`${KEY}?timeout=`), 'Bad timeout value []\n');
  t.equal(await told('/buckets/b/keys?keys=true&timeout=a%22'), 'Bad timeout value "a\\""\n');
  t.equal(await told(`${KEY}?timeout=%01`), 'Bad timeout value [1]\n');
  const index = '/buckets/b/index/f_bin/a/b';
  t.equal(
    await told(`${index}?max_results=`),
    'Invalid "max_results". [] is not a positive integer',
  );
  t.equal(await told(`${index}?return_terms=`), 'Invalid "return_terms". [] is not a boolean');
});

t.test('a semicolon ends a parameter as an ampersand does', async (t) => {
  const ask = await asking(t);
  t.equal((await ask(`GET ${KEY}?r=1;pr=x`)).status, 400);
  t.equal((await put(ask, `${KEY}?w=1;returnbody=true`)).status, 200);
});

t.test('the old URL of a bucket names what its query says', async (t) => {
  const ask = await asking(t);
  t.equal((await ask('DELETE /riak/b?keys=true')).headers.allow, 'GET, HEAD');
  t.equal((await ask('DELETE /riak/b')).headers.allow, 'HEAD, GET, PUT');
  const hidden = { headers: JSON_TYPE, body: '{"props":{"n_val":2}}' };
  t.equal((await ask('PUT /riak/b?props=false', hidden)).status, 404);
  t.equal((await ask('PUT /types/sets/buckets/b/datatypes', hidden)).status, 404);
});

t.test('conditions hold for what has no validators too', async (t) => {
  const ask = await asking(t);
  t.equal((await ask('GET /buckets/b/props', { headers: { 'If-None-Match': '*' } })).status, 304);
  t.equal((await ask('GET /buckets/b/props', { headers: { 'If-Match': '"e"' } })).status, 412);
  const update = { headers: { ...JSON_TYPE, 'If-None-Match': '*' }, body: '1' };
  t.equal((await ask('POST /types/counters/buckets/b/datatypes/c', update)).status, 412);
});

t.test('parameters of a data type are told together, those of objects passed over', async (t) => {
  const ask = await asking(t);
  const path = '/types/sets/buckets/b/datatypes/k';
  const reply = await ask(`GET ${path}?timeout=soon&returnbody=x&notfound_ok=y&pr=z`);
  const words = String(reply.body)
    .split('\n')
    .map((line) => line.split(' ')[0]);
  t.same(words, ['pr', 'notfound_ok', 'returnbody', 'timeout', '']);
  t.equal((await ask(`GET ${path}?rw=x&asis=x&sync_on_write=x`)).status, 403, 'no data types');
});

t.test('a range of what HEAD would show is told', async (t) => {
  const ask = await asking(t);
  await ask(`PUT ${KEY}`, { headers: TEXT, body: '0123456789' });
  const head = await ask(`HEAD ${KEY}`, { headers: { Range: 'bytes=2-4' } });
  t.equal(head.status, 206);
  t.equal(head.headers['content-range'], 'bytes 2-4/10');
  t.equal(head.headers['content-length'], '3');
});

t.test(
  'a walk is cut at its commas before its names are decoded, and judged before its type',
  async (t) => {
    const ask = await asking(t);
    await put(ask, '/buckets/b%2Cc/keys/k');
    await put(ask, KEY, { Link: '</buckets/b%2Cc/keys/k>; riaktag="t"' });
    const walk = await ask(`GET ${KEY}/b%2Cc,t,1`);
    t.match(String(walk.body), 'Location: /buckets/b%2Cc/keys/k');
    t.equal((await ask('GET /types/siblings/buckets/b/keys/k/x')).status, 400);
    t.equal((await ask('GET /types/siblings/buckets/b/keys/k/_,_,1')).status, 403);
  },
);

t.test('that a type keeps one value is told before that it holds no data type', async (t) => {
  const ask = await asking(t);
  const reply = await ask('GET /types/nosibs/buckets/b/datatypes/k');
  t.match([reply.status, String(reply.body)], [403, 'Bucket must be allow_mult=true\n']);
});
