/**
 * The checks before anything is sent, and which of them wins.
 */

import t from 'tap';
import {
  DEFAULT_TYPE_PROPERTIES,
  type BucketProperties,
} from '../../src/object/bucket-properties.ts';
import {
  readRequirement,
  requestedN,
  validateRead,
  validateWrite,
  writeRequirement,
} from '../../src/coordinator/requirement.ts';

const PROPERTIES: BucketProperties = DEFAULT_TYPE_PROPERTIES;
const ALL_UP = { positions: 3, primaries: 3, nodes: 3 };
const ONE_DOWN = { positions: 3, primaries: 2, nodes: 3 };

t.test('a request may narrow n and not widen it', (t) => {
  t.equal(requestedN({}, PROPERTIES), 3);
  t.equal(requestedN({ nVal: 2 }, PROPERTIES), 2);
  t.same(requestedN({ nVal: 4 }, PROPERTIES), { kind: 'n-val-violation', n: 4 });
  t.same(requestedN({ nVal: 0 }, PROPERTIES), { kind: 'n-val-violation', n: 0 });
  t.end();
});

t.test('what the request leaves out comes from the bucket', (t) => {
  t.same(readRequirement({}, PROPERTIES, 3), {
    n: 3,
    r: 2,
    pr: 0,
    nodeConfirms: 0,
    notFoundOk: true,
    basicQuorum: false,
  });
  t.same(readRequirement({ r: 'all', pr: 1, notFoundOk: false }, PROPERTIES, 2), {
    n: 2,
    r: 2,
    pr: 1,
    nodeConfirms: 0,
    notFoundOk: false,
    basicQuorum: false,
  });
  t.same(writeRequirement({ w: 0, dw: 0 }, PROPERTIES, 3), {
    n: 3,
    w: 0,
    dw: 1,
    pw: 0,
    nodeConfirms: 0,
  });
  t.end();
});

t.test('reads are refused in order of n, pr, replicas, nodes', (t) => {
  const base = readRequirement({}, PROPERTIES, 3);
  t.equal(validateRead(base, ALL_UP), undefined);
  t.same(validateRead({ ...base, r: 4, pr: 3 }, ONE_DOWN), { kind: 'n-val-violation', n: 3 });
  t.same(validateRead({ ...base, pr: 4 }, ONE_DOWN), { kind: 'n-val-violation', n: 3 });
  t.same(validateRead({ ...base, pr: 3, nodeConfirms: 9 }, ONE_DOWN), {
    kind: 'unsatisfied',
    quorum: 'pr',
    needed: 3,
    got: 2,
  });
  t.same(validateRead(base, { positions: 1, primaries: 1, nodes: 1 }), {
    kind: 'insufficient-replicas',
    needed: 2,
    got: 1,
  });
  t.same(validateRead({ ...base, nodeConfirms: 4 }, ALL_UP), {
    kind: 'insufficient-nodes',
    needed: 4,
    got: 3,
  });
  t.same(validateRead({ ...base, r: 0 }, { positions: 0, primaries: 0, nodes: 0 }), {
    kind: 'insufficient-replicas',
    needed: 1,
    got: 0,
  });
  t.end();
});

t.test('writes are refused in order of n, nodes down, pw, replicas, nodes', (t) => {
  const base = writeRequirement({}, PROPERTIES, 3);
  t.equal(validateWrite(base, ALL_UP), undefined);
  t.same(validateWrite({ ...base, nodeConfirms: 4 }, ALL_UP), { kind: 'n-val-violation', n: 3 });
  t.same(validateWrite({ ...base, w: 4 }, ALL_UP), { kind: 'n-val-violation', n: 3 });
  t.same(validateWrite(base, { positions: 0, primaries: 0, nodes: 0 }), {
    kind: 'all-nodes-down',
  });
  t.same(validateWrite({ ...base, pw: 3 }, ONE_DOWN), {
    kind: 'unsatisfied',
    quorum: 'pw',
    needed: 3,
    got: 2,
  });
  t.same(validateWrite({ ...base, w: 3 }, { positions: 2, primaries: 2, nodes: 2 }), {
    kind: 'insufficient-replicas',
    needed: 3,
    got: 2,
  });
  t.same(validateWrite({ ...base, nodeConfirms: 3 }, { positions: 3, primaries: 3, nodes: 2 }), {
    kind: 'unsatisfied',
    quorum: 'node_confirms',
    needed: 3,
    got: 2,
  });
  t.end();
});
