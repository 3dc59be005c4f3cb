/**
 * Answers to writes as Riak's code gives them where no recorded scenario shows one: what their parameters
 * and conditions count for, and what was negotiated for them.
 */

import t from 'tap';
import { gzipSync } from 'node:zlib';
import { ask, serve } from './served.ts';
import { serveCluster } from '../served-cluster.ts';
import type { Test } from 'tap';
import type { Reply } from './served.ts';

const TEXT = { 'Content-Type': 'text/plain' };
const KEY = '/buckets/b/keys/k';
const SIBLINGS = '/types/siblings/buckets/b/keys/k';

type Headers = Readonly<Record<string, string>>;
type Asking = (line: string, headers?: Headers) => Promise<Reply>;

/** Sends text with PUT and POST. */
async function asking(t: Test): Promise<Asking> {
  const { server, port } = await serve();
  t.teardown(() => server.close(0));
  return (line, headers = {}) => {
    return line.startsWith('P')
      ? ask(port, line, { headers: { ...TEXT, ...headers }, body: 'x' })
      : ask(port, line, { headers });
  };
}

t.test('an answer without a body names the charset that was negotiated', async (t) => {
  const ask = await asking(t);
  const headers = { 'Content-Type': 'text/plain; charset=utf-8' };
  for (const [line, status] of [
    [`PUT ${KEY}`, 204],
    [`POST ${KEY}`, 204],
    ['POST /buckets/b/keys', 201],
  ] as const) {
    const reply = await ask(line, headers);
    t.same([reply.status, reply.headers['content-type']], [status, headers['Content-Type']], line);
  }
});

t.test('a delete passes over what is asked of other writes and of other reads', async (t) => {
  const { ports, close } = await serveCluster({ hasTypes: false });
  t.teardown(close);
  const [port = 0] = ports;
  const remove = async (query: string) => {
    const { status, body } = await ask(port, `DELETE ${KEY}?${query}`);
    return [status, String(body)];
  };
  const query = 'node_confirms=9&notfound_ok=false&basic_quorum=true&asis=true&sync_on_write=all';
  t.same(await remove(query), [404, 'not found\n']);
  await ask(port, `PUT ${KEY}`, { headers: TEXT, body: 'x' });
  t.same(await remove(query), [204, '']);
  const words = "must be an integer or one of the following words: 'one', 'quorum' or 'all'";
  t.same(await remove('node_confirms=x'), [400, `node_confirms query parameter ${words}\n`]);
});

t.test('a condition of a write is about the sibling that it names', async (t) => {
  const ask = await asking(t);
  await ask(`PUT ${SIBLINGS}`);
  await ask(`PUT ${SIBLINGS}`);
  const { body, headers } = await ask(`GET ${SIBLINGS}`);
  const [, first = '', second = ''] = String(body).split('\n');
  const matching = (etag: string): Headers => ({ 'If-Match': `"${etag}"` });
  const put = async (vtag: string, condition: Headers) =>
    (await ask(`PUT ${SIBLINGS}?vtag=${vtag}`, condition)).status;
  t.equal(await put(first, matching(second)), 412);
  t.equal(await put(first, { 'If-Match': headers.etag ?? '' }), 412);
  t.equal(await put('none', { 'If-Match': '*' }), 412);
  const gone = await ask(`DELETE ${SIBLINGS}?vtag=none`, { 'If-None-Match': '"e"' });
  t.match([gone.status, gone.headers['content-type']], [404, 'text/html']);
  t.equal(await put('none', { 'If-None-Match': '*' }), 204);
  const [, oldest = ''] = String((await ask(`GET ${SIBLINGS}`)).body).split('\n');
  t.equal(await put(oldest, matching(oldest)), 204);
});

t.test('of siblings that a write returns, the one that it names is shown', async (t) => {
  const ask = await asking(t);
  const first = await ask(`PUT ${SIBLINGS}?returnbody=true`, { 'X-Riak-Meta-N': '1' });
  const vtag = String(first.headers.etag).slice(1, -1);
  const named = await ask(`PUT ${SIBLINGS}?returnbody=true&vtag=${vtag}`);
  t.match([named.status, named.headers.etag], [200, `"${vtag}"`]);
  t.equal(named.headers['x-riak-meta-n'], '1');
});

t.test('a condition whose read cannot be finds nothing', async (t) => {
  const ask = await asking(t);
  await ask(`PUT ${KEY}`);
  t.equal((await ask(`PUT ${KEY}?r=4`, { 'If-Match': '*' })).status, 412);
  t.equal((await ask(`PUT ${KEY}?pr=4`, { 'If-None-Match': '"e"' })).status, 204);
  t.equal((await ask(`POST ${KEY}?node_confirms=4`, { 'If-None-Match': '"e"' })).status, 400);
  t.equal((await ask(`DELETE ${KEY}?r=4`, { 'If-None-Match': '"e"' })).status, 404);
});

t.test('what is there already is told before a media type that is none', async (t) => {
  const ask = await asking(t);
  const odd = { 'Content-Type': 'rubbish', 'If-None-Match': '*' };
  t.equal((await ask(`PUT ${KEY}`, odd)).status, 415);
  await ask(`PUT ${KEY}`);
  t.equal((await ask(`PUT ${KEY}`, odd)).status, 412);
});

t.test('a date is looked at where the state is', async (t) => {
  const ask = await asking(t);
  const stored = await ask(`PUT ${KEY}?returnbody=true`);
  const condition = {
    'X-Riak-If-Not-Modified': String(stored.headers['x-riak-vclock']),
    'If-Modified-Since': stored.headers['last-modified'] ?? '',
  };
  t.equal((await ask(`PUT ${KEY}`, condition)).status, 304);
  t.equal((await ask(`PUT ${KEY}`, { ...condition, 'If-Modified-Since': 'x' })).status, 204);
});

t.test(
  'a value that came coded goes back as it came, in the coding that is asked for',
  async (t) => {
    const { server, port } = await serve();
    t.teardown(() => server.close(0));
    const body = gzipSync('value');
    const put = (line: string, headers: Headers): Promise<Reply> => {
      return ask(port, `PUT ${line}`, { headers: { ...TEXT, ...headers }, body });
    };
    const coded = { 'Content-Encoding': 'gzip' };
    const either = await put(`${KEY}?returnbody=true`, { ...coded, 'Accept-Encoding': 'gzip' });
    t.same([either.status, either.headers['content-encoding']], [200, 'gzip']);
    t.ok(either.body.equals(body));
    const plain = await put(`${KEY}?returnbody=true`, coded);
    t.same([plain.status, plain.headers['content-encoding']], [200, undefined]);
    t.ok(plain.body.equals(body));
    const none = await put(KEY, { 'Content-Encoding': 'br', 'Accept-Encoding': 'gzip' });
    t.same([none.status, none.headers['content-encoding']], [204, 'gzip']);
  },
);
