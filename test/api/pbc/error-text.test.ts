/** Error texts are Riak's, letter for letter. */

import t from 'tap';
import { Fault } from '../../../src/base/fault.ts';
import {
  failureToErrorText,
  faultToErrorText,
  indexEntriesErrorText,
  noSuchTypeText,
  propertiesErrorText,
} from '../../../src/api/pbc/error-text.ts';
import { name } from './served.ts';
import type { Failure } from '../../../src/object/requests.ts';

t.test('failures', (t) => {
  const texts: readonly (readonly [Failure, string])[] = [
    [{ kind: 'unknown-bucket-type', type: name('t') }, 'no_type'],
    [{ kind: 'n-val-violation', n: 3 }, '{n_val_violation,3}'],
    [{ kind: 'unsatisfied', quorum: 'r', needed: 2, got: 1 }, '{r_val_unsatisfied,2,1}'],
    [{ kind: 'unsatisfied', quorum: 'pw', needed: 3, got: 0 }, '{pw_val_unsatisfied,3,0}'],
    [
      { kind: 'unsatisfied', quorum: 'node_confirms', needed: 2, got: 1 },
      '{node_confirms_val_unsatisfied,2,1}',
    ],
    [{ kind: 'insufficient-replicas', needed: 3, got: 1 }, '{insufficient_vnodes,1,need,3}'],
    [{ kind: 'insufficient-nodes', needed: 4, got: 3 }, '{insufficient_nodes,3,need,4}'],
    [{ kind: 'all-nodes-down' }, 'all_nodes_down'],
    [{ kind: 'timeout' }, 'timeout'],
    [{ kind: 'overload' }, 'overload'],
    [{ kind: 'unavailable', reason: 'store fenced' }, '{unavailable,"store fenced"}'],
    [{ kind: 'too-large', sizeBytes: 60_000_000 }, '{too_large,60000000}'],
    [{ kind: 'too-many-siblings', count: 101 }, '{too_many_siblings,101}'],
    [{ kind: 'precommit-failed', reason: undefined }, 'precommit_fail'],
    [{ kind: 'precommit-failed', reason: 'no' }, '{precommit_fail,<<"no">>}'],
    [{ kind: 'match-found' }, 'match_found'],
    [{ kind: 'modified' }, 'modified'],
    [{ kind: 'nothing-to-match' }, 'notfound'],
  ];
  for (const [failure, text] of texts) t.equal(failureToErrorText(failure), text);
  t.end();
});

t.test('faults say what is wrong and not where', (t) => {
  const text = (code: Fault['code']) => faultToErrorText(new Fault(code, '/secret'));
  t.equal(text('timeout'), 'timeout');
  t.equal(text('overload'), 'overload');
  t.equal(text('peer-unreachable'), 'insufficient_vnodes_available');
  t.equal(text('store-fenced'), '{unavailable,"the store takes no requests"}');
  t.equal(text('closed'), '{error,closed}');
  t.end();
});

t.test('a type that is not there is named', (t) => {
  t.equal(noSuchTypeText(name('no-such-type')), "No bucket-type named 'no-such-type'");
  t.end();
});

t.test('refusals are lists of terms', (t) => {
  t.equal(
    propertiesErrorText([
      { property: 'n_val', reason: 'not_integer' },
      { property: 'allow_mult', reason: 'Data Type buckets must be allow_mult=true' },
    ]),
    'Invalid bucket properties: ' +
      '[{n_val,not_integer},{allow_mult,"Data Type buckets must be allow_mult=true"}]',
  );
  t.equal(
    indexEntriesErrorText([
      { kind: 'unparsable', field: name('age_int'), value: name('abc') },
      { kind: 'unknown-field-type', field: name('colour') },
    ]),
    '{precommit_fail,[{field_parsing_failed,{<<"age_int">>,<<"abc">>}},' +
      '{unknown_field_type,<<"colour">>}]}',
  );
  t.end();
});
