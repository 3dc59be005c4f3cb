/** Copies while nodes come and go, or refuse. */

import t from 'tap';
import { Fault } from '../../src/base/fault.ts';
import { serve } from '../api/pbc/served.ts';
import { change, copyOnce, endAt, newFolder, serveEnd } from './two-ends.ts';
import { valuesOf } from './two-ends.ts';
import type { Served } from '../api/pbc/served.ts';

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
});

t.test('a source without indexes lists its keys as a stream', async (t) => {
  const [source, target] = [await serveEnd(t), await serveEnd(t)];
  for (let index = 0; index < 110; index += 1) await change(source, `k${index}`, 'v');
  // As Riak answers over Bitcask.
  const refusal = new Fault(
    'peer-refused',
    '{error,{indexes_not_supported,riak_kv_bitcask_backend}}',
  );
  source.end.keysPage = () => Promise.reject(refusal);
  t.match(await copyOnce(source, target, { ledger: newFolder(t) }), {
    isSettled: true,
    outcomes: { copied: 110 },
  });
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
