/** What a job needs depends on where its inputs come from, and on nothing that it does with them. */

import t from 'tap';
import { demandOfJob } from '../../src/mapreduce/job-needs.ts';
import { erlangPhase, jsonJob } from './job-world.ts';

/** Each need as one text. */
function needs(inputs: unknown, query: unknown = []): unknown {
  const demand = demandOfJob(jsonJob(inputs, query));
  if ('refusal' in demand) return demand.refusal;
  return demand.map(({ permission, target }) => {
    return `${permission} on ${target === undefined ? 'any' : `${target.type}/${target.bucket}`}`;
  });
}

t.test('a bucket needs a listing, an index a query, keys a read; each of them MapReduce', (t) => {
  const mapReduce = 'riak_kv.mapreduce on default/b';
  t.same(needs('b'), ['riak_kv.list_keys on default/b', mapReduce]);
  t.same(needs({ bucket: 'b', key_filters: [['starts_with', 'a']] }), [
    'riak_kv.list_keys on default/b',
    mapReduce,
  ]);
  t.same(needs({ bucket: 'b', index: 'a_bin', start: 'a', end: 'b' }), [
    'riak_kv.index on default/b',
    mapReduce,
  ]);
  t.same(
    needs([
      ['b', 'k'],
      ['b', 'l'],
      ['c', 'k', 'data', 'maps'],
    ]),
    ['riak_kv.get on default/b', mapReduce, 'riak_kv.get on maps/c', 'riak_kv.mapreduce on maps/c'],
  );
  t.same(needs(['maps', 'c']), ['riak_kv.list_keys on maps/c', 'riak_kv.mapreduce on maps/c']);
  t.end();
});

t.test('no inputs need MapReduce on everything, and no links are followed', (t) => {
  const empty = { ...jsonJob('b', []), inputs: { kind: 'addresses', addresses: [] } } as const;
  t.same(demandOfJob(empty), [{ permission: 'riak_kv.mapreduce', target: undefined }]);
  t.match(needs('b', [erlangPhase('reduce', 'reduce_identity'), { link: {} }]), /^Link walking is/);
  t.end();
});

t.test('a function that is stored is one that may be read', (t) => {
  const stored = { language: 'javascript', bucket: 'code', key: 'f' };
  t.same(needs([['b', 'k']], [{ map: stored }, { reduce: stored }]), [
    'riak_kv.get on default/b',
    'riak_kv.mapreduce on default/b',
    'riak_kv.get on default/code',
    'riak_kv.get on default/code',
  ]);
  t.end();
});
