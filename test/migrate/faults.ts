/** Copies while nodes come and go, or refuse. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Fault } from '../../src/base/fault.ts';
import { copyText } from '../../src/cli/migrate-text.ts';
import { name, serve } from '../api/pbc/served.ts';
import { scopeOf } from '../../src/migrate/walk.ts';
import { BUCKET, TYPE, change, copyOnce, endAt, keyOf, newFolder, serveEnd } from './two-ends.ts';
import { valuesOf } from './two-ends.ts';
import type { Served } from '../api/pbc/served.ts';

/** As Riak answers over Bitcask. */
const UNINDEXED = new Fault(
  'peer-refused',
  '{error,{indexes_not_supported,riak_kv_bitcask_backend}}',
);

t.test('a target that restarts is waited for, and nothing is written twice', async (t) => {
  const source = await serveEnd(t);
  for (let index = 0; index < 60; index += 1) await change(source, `k${index}`, `${index}`);
  let puts = 0;
  let restarted: Promise<Served> | undefined;
  const first = await serve({
    around: (node) => {
      const put = node.put.bind(node);
      node.put = (request) => {
        puts += 1;
        if (puts === 20) restarted = restart();
        return put(request);
      };
      return node;
    },
  });
  const restart = async (): Promise<Served> => {
    await first.server.close();
    return serve({ port: first.port, around: () => first.node });
  };
  t.teardown(async () => {
    await first.server.close();
    await (await restarted)?.server.close();
  });
  const target = endAt(t, first.port);
  const summary = await copyOnce(source, target, { ledger: newFolder(t) });
  t.match(summary, { isSettled: true, objects: 60, bytes: Number });
  t.ok(restarted !== undefined && summary.retries > 0);
  for (let index = 0; index < 60; index += 1) {
    t.same(await valuesOf(target, `k${index}`), [`${index}`]);
  }
});

t.test('a pass that was broken off goes on where it was', async (t) => {
  const [source, target] = [await serveEnd(t), await serve()];
  t.teardown(() => target.server.close());
  const end = endAt(t, target.port);
  for (let index = 0; index < 40; index += 1) await change(source, `k${index}`, 'v');
  const put = target.node.put.bind(target.node);
  let puts = 0;
  target.node.put = async (request) => {
    puts += 1;
    return puts > 10 ? { kind: 'precommit-failed', reason: `k "Okafor"` } : put(request);
  };
  const ledger = newFolder(t);
  const broken = await copyOnce(source, end, { ledger, failuresMax: 5, concurrency: 2 });
  t.match(broken, { isWhole: false, isSettled: false, outcomes: { copied: 10 } });
  t.notMatch(JSON.stringify(broken.reasons), 'Okafor', 'what a server quotes is left out');
  target.node.put = put;
  const rest = await copyOnce(source, end, { ledger });
  t.match(rest, { pass: 1, isResumed: true, isSettled: true });
  t.match(rest.outcomes, { copied: 30, 'done-before': 10 });
  t.match(copyText(rest), /changed behind it since is carried by the next pass$/m);
  const next = await copyOnce(source, end, { ledger });
  t.match(next, { pass: 2, isResumed: false });
  t.notMatch(copyText(next), 'the next pass');
});

t.test(
  'what a pass met before it was killed is told by the one that goes on with it',
  async (t) => {
    const [source, target] = [await serveEnd(t), await serveEnd(t)];
    const buckets = ['first', 'second', 'third'].map(name);
    for (const bucket of buckets) {
      await source.client.put({ ...keyOf('a'), bucket }, { value: Buffer.from('v') });
    }
    await target.client.put({ ...keyOf('a'), bucket: name('first') }, { value: Buffer.from('w') });
    const place = source.end.place.bind(source.end);
    // As one that is killed: it does not come to a summary.
    source.end.place = (type, bucket) => {
      return bucket === 'third' ? Promise.reject(new Error('killed')) : place(type, bucket);
    };
    const [ledger, keysTo] = [newFolder(t), join(newFolder(t), 'keys')];
    const run = { ledger, keysTo, scope: scopeOf([TYPE], buckets), carriesDeletes: true };
    await t.rejects(copyOnce(source, target, run), { message: 'killed' });
    source.end.place = place;
    const rest = await copyOnce(source, target, run);
    t.match(rest, { isResumed: true, isWhole: true, isSettled: false, unsettledBefore: 1 });
    const named = readFileSync(keysTo, 'utf8').trim().split('\n');
    t.match(
      named.map((line) => JSON.parse(line) as object),
      [{ bucket: 'first' }],
    );
    t.match(await copyOnce(source, target, run), { isSettled: false, unsettledBefore: 0 });
    t.equal(readFileSync(keysTo, 'utf8').trim().split('\n').length, 1, 'begun anew with the pass');
  },
);

t.test('a source without indexes lists its keys as a stream', async (t) => {
  const [source, target] = [await serveEnd(t), await serveEnd(t)];
  for (let index = 0; index < 110; index += 1) await change(source, `k${index}`, 'v');
  source.end.keysPage = () => Promise.reject(UNINDEXED);
  t.match(await copyOnce(source, target, { ledger: newFolder(t) }), {
    isSettled: true,
    outcomes: { copied: 110 },
  });
});

t.test('a source that is overloaded is asked again, and no key is passed over', async (t) => {
  const [served, target] = [await serve(), await serveEnd(t)];
  t.teardown(() => served.server.close());
  const source = endAt(t, served.port);
  for (let index = 0; index < 30; index += 1) await change(source, `k${index}`, 'v');
  const get = served.node.get.bind(served.node);
  let gets = 0;
  const refusals = ['overload', 'timeout', 'all-nodes-down'] as const;
  served.node.get = async (request) => {
    gets += 1;
    const kind = gets <= 24 ? refusals[gets % 3] : undefined;
    return kind === undefined ? get(request) : { kind };
  };
  const summary = await copyOnce(source, target, { ledger: newFolder(t) });
  t.match(summary, { isSettled: true, outcomes: { copied: 30 } });
  t.ok(summary.retries > 0);
});

t.test('a key that cannot be read is told, and tried by the next pass', async (t) => {
  const [served, target] = [await serve(), await serveEnd(t)];
  t.teardown(() => served.server.close());
  const source = endAt(t, served.port, 600);
  for (let index = 0; index < 10; index += 1) await change(source, `k${index}`, 'v');
  const get = served.node.get.bind(served.node);
  served.node.get = async (request) => {
    // Somebody else goes on being served.
    if (request.key.key !== 'k3') return get(request);
    await source.end.place(TYPE, BUCKET);
    return { kind: 'unsatisfied', quorum: 'r', needed: 2, got: 1 };
  };
  const [ledger, keysTo] = [newFolder(t), join(newFolder(t), 'keys')];
  const first = await copyOnce(source, target, { ledger, keysTo });
  t.match(first, { isWhole: true, isSettled: false, outcomes: { copied: 9, failed: 1 } });
  t.match(first.reasons, { '{r_val_unsatisfied,2,1}': 1 });
  t.match(JSON.parse(readFileSync(keysTo, 'utf8')), { key: 'k3', outcome: 'failed' });
  served.node.get = get;
  const second = await copyOnce(source, target, { ledger });
  t.match(second, { isSettled: true, outcomes: { copied: 1, unchanged: 9 } });
});

t.test('an end that serves nothing any more ends the pass, which goes on later', async (t) => {
  const [served, target] = [await serve(), await serveEnd(t)];
  const source = endAt(t, served.port, 600);
  for (let index = 0; index < 60; index += 1) await change(source, `k${index}`, 'v');
  const get = served.node.get.bind(served.node);
  let gets = 0;
  served.node.get = (request) => {
    gets += 1;
    if (gets === 20) void served.server.close();
    return get(request);
  };
  const ledger = newFolder(t);
  const broken = await copyOnce(source, target, { ledger });
  t.match(broken, { isWhole: false, isSettled: false, outcomes: { failed: undefined } });
  t.match(broken.brokenOff, /^127\.0\.0\.1:\d+ served nothing for \d\.\d s: /);
  const again = await serve({ port: served.port, around: () => served.node });
  t.teardown(() => again.server.close());
  const rest = await copyOnce(source, target, { ledger });
  t.match(rest, { pass: 1, isResumed: true, isSettled: true });
  t.equal((rest.outcomes['copied'] ?? 0) + (broken.outcomes['copied'] ?? 0), 60);
});

t.test('a listing that is cut off is begun anew', async (t) => {
  const [served, target] = [await serve(), await serveEnd(t)];
  t.teardown(() => served.server.close());
  const source = endAt(t, served.port);
  for (let index = 0; index < 300; index += 1) await change(source, `k${index}`, 'v');
  source.end.keysPage = () => Promise.reject(UNINDEXED);
  const listKeys = served.node.listKeys.bind(served.node);
  let listings = 0;
  served.node.listKeys = async function* cut(...args) {
    listings += 1;
    for await (const keys of listKeys(...args)) {
      yield keys;
      if (listings === 1) throw new Fault('timeout', 'a node went away');
    }
  };
  t.match(await copyOnce(source, target, { ledger: newFolder(t) }), {
    isSettled: true,
    outcomes: { copied: 300 },
  });
  t.equal(listings, 2);
});

t.test('a write that comes between is not covered', async (t) => {
  const [source, served] = [await serveEnd(t), await serve()];
  t.teardown(() => served.server.close());
  const target = endAt(t, served.port);
  await change(source, 'k', 'old');
  await change(source, 'fresh', 'old');
  const put = served.node.put.bind(served.node);
  let isFirst = true;
  served.node.put = async (request) => {
    // Somebody is quicker: once the copy has looked, and before its write is judged.
    if (isFirst) {
      isFirst = false;
      await put({
        key: request.key,
        content: { ...request.content, value: Buffer.from('client') },
        returning: 'nothing',
      });
    }
    return put(request);
  };
  const summary = await copyOnce(source, target, { ledger: newFolder(t), concurrency: 1 });
  t.match(summary, { isSettled: false, outcomes: { copied: 1, conflict: 1 } });
  const values = [...(await valuesOf(target, 'k')), ...(await valuesOf(target, 'fresh'))].sort();
  t.same(values, ['client', 'old']);
});
