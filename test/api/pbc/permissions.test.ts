/**
 * Who may send which message: every code, with every permission taken away in turn. What each needs is
 * written here once more, from Riak's own list, and compared with what is judged.
 */

import t from 'tap';
import { MESSAGE_TYPES } from '../../../src/api/pbc/messages/catalogue.ts';
import { demandOf, findRefusal } from '../../../src/api/pbc/permissions.ts';
import { findRoute } from '../../../src/api/pbc/routes.ts';
import { PERMISSIONS } from '../../../src/security/permission.ts';
import { Security } from '../secured.ts';
import { errorText, name } from './served.ts';
import type { Session } from '../../../src/api/pbc/handler.ts';
import type { Fields, Message } from '../../../src/api/pbc/messages/message-type.ts';
import type { Permission, Target } from '../../../src/security/permission.ts';

const NEEDED: Readonly<Record<number, readonly Permission[]>> = {
  1: [],
  3: [],
  5: [],
  7: [],
  9: ['riak_kv.get'],
  11: ['riak_kv.put'],
  13: ['riak_kv.delete'],
  15: ['riak_kv.list_buckets'],
  17: ['riak_kv.list_keys'],
  19: ['riak_core.get_bucket'],
  21: ['riak_core.set_bucket'],
  23: ['riak_kv.list_keys', 'riak_kv.mapreduce'],
  25: ['riak_kv.index'],
  29: ['riak_core.set_bucket'],
  31: ['riak_core.get_bucket_type'],
  32: ['riak_core.set_bucket_type'],
  33: ['riak_kv.get_preflist'],
  40: ['riak_kv.list_keys', 'riak_kv.get'],
  50: ['riak_kv.put'],
  52: ['riak_kv.get'],
  80: ['riak_kv.get'],
  82: ['riak_kv.put'],
  // Of replication and of folds Riak asks for nothing.
  202: ['riak_kv.get'],
  204: ['riak_kv.get'],
  206: ['riak_kv.get'],
  210: ['riak_kv.list_keys'],
  211: ['riak_kv.list_keys'],
  212: ['riak_kv.list_keys'],
  213: ['riak_kv.list_keys'],
  214: ['riak_kv.list_keys'],
  215: ['riak_kv.list_keys'],
  216: ['riak_kv.list_keys'],
  217: ['riak_kv.list_keys', 'riak_kv.get'],
  218: ['riak_kv.list_keys'],
  219: ['riak_kv.list_keys', 'riak_kv.get'],
  223: ['riak_kv.list_buckets'],
  230: ['riak_kv.list_keys', 'riak_kv.delete'],
  231: ['riak_kv.list_keys', 'riak_kv.delete'],
  255: [],
};

/** These are about all buckets. */
const OF_ALL: ReadonlySet<number> = new Set([202, 204, 206, 210, 211, 212, 223]);

const TYPE = name('default');
const BUCKET = name('b');
const JOB = Buffer.from('{"inputs":"b","query":[]}');

/** As much of every message as its permissions depend on. */
const REQUEST = {
  type: TYPE,
  bucket: BUCKET,
  request: JOB,
  content_type: name('application/json'),
} as unknown as Message<Fields>;

const security = new Security();

function sessionOf(user: string | undefined): Session {
  const node = { gatekeeper: security.gatekeeper };
  const part: Partial<Session> = { disabledJobs: new Set(), scripts: undefined, user };
  return { ...part, node, isEncrypted: true } as unknown as Session;
}

function refusalOf(code: number, user = 'ann'): string | undefined {
  const type = MESSAGE_TYPES.find((each) => each.code === code);
  if (type === undefined) throw new Error(`no message has the code ${code}`);
  const refusal = findRefusal(demandOf(type), REQUEST, sessionOf(user));
  return refusal && errorText({ name: refusal.type.name, value: refusal.value });
}

t.test('every code that is served is in the list, and no other', (t) => {
  const codes = Array.from({ length: 256 }, (_, code) => code);
  const served = codes.filter((code) => findRoute(code) !== undefined);
  t.same(served, Object.keys(NEEDED).map(Number));
  t.end();
});

t.test('a message is served with all that it needs, and not with one permission less', (t) => {
  const onBucket: Target = { type: TYPE, bucket: BUCKET };
  for (const [code, needed] of Object.entries(NEEDED)) {
    const refusal = (): string | undefined => refusalOf(Number(code));
    const isOfType = needed.some((each) => /list_buckets|_bucket_type/.test(each));
    const isOfAll = OF_ALL.has(Number(code));
    const target = isOfType ? { type: TYPE } : onBucket;
    security.grant('ann', needed, target);
    t.equal(refusal() !== undefined, isOfAll, `${code} with ${needed.join(', ')}`);
    security.grant('ann', needed);
    t.equal(refusal(), undefined, `${code} on any`);
    security.grant('ann', needed, { type: name('other') });
    t.equal(refusal() === undefined, needed.length === 0, `${code} on another type`);
    for (const missing of needed) {
      security.grant(
        'ann',
        PERMISSIONS.filter((permission) => permission !== missing),
      );
      const on = isOfAll ? 'any' : isOfType ? 'default' : 'default/b';
      const text = `Permission denied: User 'ann' does not have '${missing}' on ${on}`;
      t.equal(refusal(), text, `${code} without ${missing}`);
    }
  }
  t.end();
});

t.test('nobody, and who is no user, is refused', (t) => {
  for (const [code, needed] of Object.entries(NEEDED)) {
    const session = { ...sessionOf(undefined), isEncrypted: false };
    const type = MESSAGE_TYPES.find((each) => each.code === Number(code));
    t.ok(type && findRefusal(demandOf(type), REQUEST, session), `${code} of nobody`);
    if (needed.length > 0) t.match(refusalOf(Number(code), 'stranger'), /^Permission denied/);
  }
  security.isEnabled = false;
  t.equal(refusalOf(9), undefined, 'while security is off nobody is asked');
  t.end();
});
