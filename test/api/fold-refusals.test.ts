/**
 * Folds that are refused, over both protocols, and those that a page of another site asks for. No keys are
 * needed for that: the node is in memory, and its folds find nothing.
 */

import { connect } from 'node:net';
import t from 'tap';
import type { Test } from 'tap';
import {
  RpbAaeFoldFindTombsReq,
  RpbAaeFoldMergeBranchNValReq,
  RpbAaeFoldMergeRootNValReq,
  RpbAaeFoldMergeTreesRangeReq,
  RpbAaeFoldReplKeysReq,
} from '../../src/api/pbc/messages/aae-fold-messages.ts';
import { Fault } from '../../src/base/fault.ts';
import { ask, serve as serveHttp } from './http/served.ts';
import { BareClient, errorText, name, serve as servePbc, until } from './pbc/served.ts';
import type { MemoryNode } from './memory-node.ts';

const ALL = { key_range: false, modified_range: false };
const ALL_SEGMENTS = { ...ALL, segment_filter: false };

async function connected(t: Test): Promise<BareClient> {
  const { server, port, bugs } = await servePbc();
  const client = await BareClient.connect(port);
  t.teardown(async () => {
    client.socket.destroy();
    await server.close();
    if (bugs.length > 0) throw new Error('a bug was met', { cause: bugs[0] });
  });
  return client;
}

function filter(document: unknown): string {
  return `filter=${encodeURIComponent(Buffer.from(JSON.stringify(document)).toString('base64'))}`;
}

async function served(t: Test) {
  const served = await serveHttp();
  t.teardown(async () => {
    await served.server.close(0);
    if (served.bugs.length > 0) throw new Error('a bug was met', { cause: served.bugs[0] });
  });
  const told = async (path: string): Promise<string> => {
    const { status, body } = await ask(served.port, `GET ${path}`);
    return `${status} ${body.toString()}`;
  };
  return { ...served, told };
}

t.test('what is no fold is refused, and the connection goes on', async (t) => {
  const client = await connected(t);
  const bucket = { bucket: name('b'), ...ALL_SEGMENTS };
  const refused = [
    { ...bucket, key_range: true },
    { ...bucket, key_range: true, start_key: name('b') },
    { ...bucket, key_range: true, start_key: name('b'), end_key: name('a') },
    { ...bucket, modified_range: true, last_mod_start: 2 },
    { ...bucket, modified_range: true, last_mod_start: 2, last_mod_end: 1 },
    { ...bucket, key_range: true, start_key: name('b'), end_key: name('c'.repeat(65_537)) },
    { ...bucket, bucket: name('b'.repeat(65_537)) },
    { ...bucket, segment_filter: true, id_filter: [1] },
    {
      ...bucket,
      segment_filter: true,
      id_filter: Array.from({ length: 65_537 }, () => 1),
      filter_tree_size: 'large' as const,
    },
  ];
  for (const message of refused) {
    const reply = await client.ask(RpbAaeFoldFindTombsReq, message);
    t.equal(errorText(reply), '"Invalid AAE fold definition"');
  }
  const tree = { ...bucket, tree_size: 'small' as const, use_prehash: false };
  t.equal(
    errorText(await client.ask(RpbAaeFoldMergeTreesRangeReq, tree)),
    '"Invalid AAE fold definition"',
  );
  for (const type of [RpbAaeFoldMergeRootNValReq, RpbAaeFoldMergeBranchNValReq] as const) {
    const reply = await client.ask(type, { n_val: 0 });
    t.equal(errorText(reply), '"Invalid AAE fold definition"');
  }
  t.equal((await client.ask(RpbAaeFoldFindTombsReq, bucket)).name, 'RpbAaeFoldKeyValueResp');
});

t.test("over HTTP what is no fold is refused in Riak's words", async (t) => {
  const { told, port } = await served(t);
  const path = '/objectstats/buckets/b';
  const refusals: readonly (readonly [string, RegExp])[] = [
    [`${path}?filter=%25`, /^400 Invalid range filter "%"/],
    [`${path}?${filter([])}`, /^400 Invalid range filter/],
    [`${path}?${filter({ key_range: { start: 'a' } })}`, /^400 .*<<"key_range">>,{"start":"a"}/],
    [`${path}?${filter({ key_range: { start: 'b', end: 'a' } })}`, /^400 Invalid query definition/],
    [`${path}?${filter({ date_range: { start: 2, end: 1 } })}`, /^400 Invalid query definition/],
    [`${path}?${filter({ date_range: { start: -2, end: 1 } })}`, /^400 .*date_range/],
    [`${path}?${filter({ date_range: 5 })}`, /^400 .*date_range/],
    [`${path}?${filter({ segment_filter: { segments: [1] } })}`, /^400 .*segment_filter/],
    [`${path}?${filter({ segment_filter: { segments: ['x'], tree_size: 'small' } })}`, /^400/],
    [`${path}?${filter({ hash_iv: -1 })}`, /^400 .*hash_iv/],
    [`${path}?${filter({ change_method: 'now' })}`, /^400 .*change_method/],
    [`${path}?${filter({ change_method: { job_id: 0 } })}`, /^400 .*change_method/],
    [`${path}?timeout=soon`, /^400 Bad timeout value/],
    ['/siblings/buckets/b/counts/0', /^400 sibling_count requires integer for count. Value 0 inva/],
    ['/objectsizes/buckets/b/sizes/x', /^400 object_size requires integer for size. Value "x" inv/],
    ['/rangetrees/buckets/b/trees/nano', /^400 Invalid treesize "nano"/],
    ['/cachedtrees/nvals/0/root', /^400 Cached tree request invalid nval 0/],
    ['/cachedtrees/nvals/3/branch', /^400 Filter query param required for branch aae fold/],
    ['/cachedtrees/nvals/3/keysclocks?filter=x', /^400 Invalid branch \| segment filter "x"/],
    [`/cachedtrees/nvals/3/branch?${filter({})}`, /^400 Invalid filter for branch/],
    [`/cachedtrees/nvals/3/keysclocks?${filter({})}`, /^400/],
    ['/cachedtrees/nvals/3/trunk', /^404/],
    ['/rangetrees/buckets/b', /^404/],
    ['/objectstats/types/nowhere/buckets/b', /^404/],
    ['/erase/buckets', /^404/],
    ['/erase/buckets/b/c', /^404/],
  ];
  for (const [line, expected] of refusals) t.match(await told(line), expected, line);
  t.equal((await ask(port, 'PUT /erase/buckets/b')).status, 405);
});

t.test('onto a queue that is not there nothing can be put', async (t) => {
  const client = await connected(t);
  const message = { bucket: name('b'), ...ALL, queuename: name('q') };
  t.match(
    errorText(await client.ask(RpbAaeFoldReplKeysReq, message)),
    /There is no queue of that name/,
  );
  const { told } = await served(t);
  t.match(await told('/rangerepl/buckets/b/queuename/q'), /^404 There is no queue of that name/);
});

t.test('a page of another site cannot erase by way of its visitor', async (t) => {
  const { port, node } = await served(t);
  let foldCount = 0;
  const fold = node.fold.bind(node);
  node.fold = (request, options) => {
    foldCount += 1;
    return fold(request, options);
  };
  const line = `GET /erase/buckets/b?${filter({ change_method: 'local' })}`;
  for (const site of ['cross-site', 'same-site']) {
    const { status } = await ask(port, line, { headers: { 'Sec-Fetch-Site': site } });
    t.equal(status, 403, site);
  }
  const foreign = await ask(port, line, { headers: { Referer: 'http://elsewhere.test/' } });
  t.equal(foreign.status, 403);
  t.equal(foldCount, 0);
  const own = await ask(port, line, { headers: { 'Sec-Fetch-Site': 'none' } });
  t.equal(own.status, 200);
  t.equal(foldCount, 1);
});

t.test('a fold hears that its client has left', async (t) => {
  const ended: string[] = [];
  const watch = (node: MemoryNode, api: string): void => {
    node.fold = async (_request, { isWanted }) => {
      await until(() => !isWanted());
      ended.push(api);
      throw new Fault('closed', 'nobody waits for the fold');
    };
  };
  const pbc = await servePbc();
  t.teardown(() => pbc.server.close());
  watch(pbc.node, 'pbc');
  for (const leave of ['destroy', 'end'] as const) {
    const client = await BareClient.connect(pbc.port);
    client.send(RpbAaeFoldFindTombsReq, { bucket: name('b'), ...ALL_SEGMENTS });
    await new Promise<void>((resolve) => {
      client.socket.write('', () => resolve());
    });
    client.socket[leave]();
    await until(() => ended.length === (leave === 'destroy' ? 1 : 2));
    client.socket.destroy();
  }
  const { port, node } = await served(t);
  watch(node, 'http');
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write('GET /tombs/buckets/b HTTP/1.1\r\nHost: a\r\n\r\n', () => socket.destroy());
  await until(() => ended.length === 3);
  t.same(ended, ['pbc', 'pbc', 'http']);
});
