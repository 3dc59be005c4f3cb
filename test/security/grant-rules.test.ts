/**
 * What is granted is inherited, adds up and ends with its grant.
 */

import fc from 'fast-check';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { denialText } from '../../src/security/gatekeeper.ts';
import { GrantRules, rolesOf } from '../../src/security/grant-rules.ts';
import { PERMISSIONS, type Permission, type Target } from '../../src/security/permission.ts';
import { ALL, type Grant, type SecurityState } from '../../src/security/security-state.ts';
import {
  anyGrants,
  anyPermission,
  anySecurity,
  anyTarget,
  anyUser,
  GROUPS,
} from './arbitrary-security.ts';

interface Question {
  readonly user: ByteString;
  readonly permission: Permission;
  readonly target: Target | undefined;
}

const anyQuestion: fc.Arbitrary<Question> = fc.record({
  user: anyUser,
  permission: anyPermission,
  target: anyTarget,
});

function isAllowed(security: SecurityState, { user, permission, target }: Question): boolean {
  return new GrantRules(security).allows(user, permission, target);
}

/** Whether `role` is, or is in a group that is in, `group`: by paths without a repeated group. */
function reaches(security: SecurityState, role: ByteString, group: ByteString): boolean {
  const walk = (at: ByteString, passed: readonly ByteString[]): boolean =>
    at === group ||
    (security.users.get(at) ?? security.groups.get(at))?.groups.some(
      (next) => !passed.includes(next) && walk(next, [...passed, next]),
    ) === true;
  return walk(role, [role]);
}

function suffices(grant: Grant, { permission, target }: Question): boolean {
  if (!grant.permissions.includes(permission)) return false;
  if (grant.target === undefined) return true;
  if (grant.target.type !== target?.type) return false;
  return grant.target.bucket === undefined || grant.target.bucket === target.bucket;
}

t.test('a user may do what some grant of a role of theirs says', (t) => {
  fc.assert(
    fc.property(anySecurity, anyQuestion, (security, question) => {
      const expected = security.grants.some(
        (grant) =>
          suffices(grant, question) &&
          (grant.role === ALL || reaches(security, question.user, grant.role)),
      );
      return isAllowed(security, question) === expected;
    }),
    { numRuns: 300 },
  );
  t.end();
});

t.test('more grants or groups never take anything away', (t) => {
  fc.assert(
    fc.property(anySecurity, anyGrants, anyQuestion, (security, more, question) => {
      if (!isAllowed(security, question)) return true;
      const withMore = { ...security, grants: [...security.grants, ...more] };
      const users = new Map(security.users);
      const user = users.get(question.user);
      if (user !== undefined) users.set(question.user, { ...user, groups: GROUPS });
      return isAllowed(withMore, question) && isAllowed({ ...security, users }, question);
    }),
  );
  t.end();
});

t.test('a circle of groups is walked once', (t) => {
  fc.assert(
    fc.property(anySecurity, anyUser, (security, user) => {
      const roles = [...rolesOf(security, user)].sort();
      const expected = [user, ...GROUPS.filter((group) => reaches(security, user, group)), ALL];
      return roles.join() === expected.sort().join();
    }),
  );
  t.end();
});

t.test('who is no user may do nothing, whatever all may', (t) => {
  const security: SecurityState = {
    isEnabled: true,
    users: new Map(),
    groups: new Map([['g1' as ByteString, { groups: [], options: new Map() }]]),
    sources: [],
    grants: [{ role: ALL, target: undefined, permissions: PERMISSIONS }],
  };
  const rules = new GrantRules(security);
  for (const name of ['stranger', 'g1', 'all', '']) {
    t.notOk(rules.allows(name, 'riak_kv.get', undefined), name);
  }
  t.end();
});

t.test('a denial says what is missing in Riak’s words', (t) => {
  const type = 'records' as ByteString;
  const denied = (target?: Target): string | undefined => denialText('ann', 'riak_kv.get', target);
  const start = "Permission denied: User 'ann' does not have 'riak_kv.get' on";
  t.equal(denied({ type, bucket: 'patients' as ByteString }), `${start} records/patients`);
  t.equal(denied({ type }), `${start} records`);
  t.equal(denied(), `${start} any`);
  t.end();
});
