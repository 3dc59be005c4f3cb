/** Data types over HTTP where the recorded answers are silent: order of judgement, parameters. */

import t from 'tap';
import type { Test } from 'tap';
import { ask, serve } from './served.ts';
import type { ByteString } from '../../../src/base/bytes.ts';
import type {
  ShownDatatype,
  UpdateDatatypeRequest,
} from '../../../src/object/datatype-requests.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };
const TEXT_TYPE = { 'Content-Type': 'text/plain' };
const SET = '/types/sets/buckets/b/datatypes/k';

t.test('a wrong media type is told before all else', async (t) => {
  const { server, port } = await serve();
  t.teardown(() => server.close(0));
  for (const path of [
    `${SET}?w=x`,
    '/types/notype/buckets/b/datatypes/k',
    '/types/default/buckets/b/datatypes/k',
    '/types/siblings/buckets/b/datatypes/k',
  ]) {
    const reply = await ask(port, `POST ${path}`, { headers: TEXT_TYPE, body: '{}' });
    t.equal(reply.status, 406, path);
  }
});

t.test('parameters that cannot be read are told in one answer', async (t) => {
  const { server, port } = await serve();
  t.teardown(() => server.close(0));
  const told = async (query: string) => {
    const reply = await ask(port, `GET ${SET}?${query}`);
    t.equal(reply.status, 400, query);
    return reply.body.toString();
  };
  const least = 'timeout query parameter must be an integer greater than 0';
  t.equal(await told('timeout=soon'), `${least}, soon is invalid\n`);
  t.equal(await told('timeout=-1'), `${least} (or 0 for disabled), -1 is invalid\n`);
  t.equal(
    await told('include_context=no&returnbody=yes'),
    'include_context query parameter must be true or false\n' +
      'returnbody query parameter must be true or false\n',
  );
});

const SHOWN: ShownDatatype = {
  value: { kind: 'set', elements: ['x' as ByteString] },
  context: new Map(),
};

/** A server whose node has one set, and counts its updates. */
async function withSet(t: Test) {
  const { server, node, port } = await serve();
  t.teardown(() => server.close(0));
  const asked: UpdateDatatypeRequest[] = [];
  Object.assign(node, {
    fetchDatatype: () => Promise.resolve({ kind: 'found', shown: SHOWN }),
    updateDatatype: (request: UpdateDatatypeRequest) => {
      asked.push(request);
      const shown = request.returning === 'value' ? SHOWN : undefined;
      return Promise.resolve({ kind: 'updated', shown });
    },
  });
  return { port, asked };
}

t.test('switches are read whatever their case', async (t) => {
  const { port } = await withSet(t);
  const query = 'returnbody=TRUE&include_context=False&timeout=0';
  const post = { headers: JSON_TYPE, body: '{"add":"x"}' };
  const reply = await ask(port, `POST ${SET}?${query}`, post);
  t.equal(reply.status, 200);
  t.equal(reply.body.toString(), '{"type":"set","value":["x"]}');
  const coded = await ask(port, `GET ${SET}`, { headers: { 'Accept-Encoding': 'gzip' } });
  t.equal(coded.headers['content-encoding'], 'gzip');
});

t.test('an update whose answer the client does not take is not done', async (t) => {
  const { port, asked } = await withSet(t);
  const headers = { ...JSON_TYPE, Accept: 'text/plain' };
  const refused = await ask(port, `POST ${SET}`, { headers, body: '{"add":"x"}' });
  t.equal(refused.status, 406);
  t.same(asked, []);
});

t.test('a data type that is not there is told whatever the conditions', async (t) => {
  const { server, node, port } = await serve();
  t.teardown(() => server.close(0));
  const missing = { kind: 'not-found', datatype: 'set' };
  Object.assign(node, { fetchDatatype: () => Promise.resolve(missing) });
  const reply = await ask(port, `GET ${SET}`, { headers: { 'If-Match': '*' } });
  t.match([reply.status, reply.body.toString()], [404, '{"type":"set","error":"notfound"}']);
});

t.test('the legacy place of a key that no one named is named all the same', async (t) => {
  const { server, port } = await serve();
  t.teardown(() => server.close(0));
  const post = { headers: JSON_TYPE, body: '1' };
  const reply = await ask(port, 'POST /types/default/buckets/a%20b/datatypes', post);
  t.match([reply.status, reply.headers.location], [301, '/buckets/a+b/counters/undefined']);
});

t.test('a legacy counter checks its own parameters and passes over the others', async (t) => {
  const { port, asked } = await withSet(t);
  const counter = '/buckets/b/counters/k';
  const others = '?timeout=soon&rw=x&sync_on_write=x&asis=x&returnbody=x';
  t.equal((await ask(port, `POST ${counter}${others}`, { body: '1' })).status, 204);
  t.equal((await ask(port, `GET ${counter}${others}`)).status, 200);
  for (const known of ['r', 'w', 'dw', 'pw', 'pr', 'node_confirms', 'basic_quorum']) {
    const refused = await ask(port, `POST ${counter}?${known}=x`, { body: '1' });
    t.equal(refused.status, 400, known);
    t.match(refused.body.toString(), `${known} query parameter must be`);
    t.equal((await ask(port, `GET ${counter}?${known}=x`)).status, 400, known);
  }
  await ask(port, `POST ${counter}?w=all&dw=2&pw=one&node_confirms=quorum`, { body: '-2' });
  t.equal(asked.length, 2);
  t.match(asked[1], { w: 'all', dw: 2, pw: 'one', nodeConfirms: 2, timeoutMs: 60_000 });
});
