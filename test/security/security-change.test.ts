/**
 * Whatever operators do, the state stays one that a document may hold; what is taken away is gone.
 */

import fc from 'fast-check';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { changeSecurity } from '../../src/membership/changes.ts';
import { decodeState, encodeState } from '../../src/membership/state-document.ts';
import { addSource, deleteSource, grant, revoke } from '../../src/security/access-changes.ts';
import { cidrToString } from '../../src/security/address.ts';
import { GrantRules } from '../../src/security/grant-rules.ts';
import { PERMISSIONS } from '../../src/security/permission.ts';
import {
  addGroup,
  addUser,
  alterGroup,
  alterUser,
  deleteGroup,
  deleteUser,
} from '../../src/security/role-changes.ts';
import type { SecurityChange } from '../../src/security/security-change.ts';
import { ALL, NO_SECURITY, type SecurityState } from '../../src/security/security-state.ts';
import { stateOf } from '../membership/states.ts';
import {
  anyCidr,
  anyPermission,
  anyRole,
  anySecurity,
  anyTarget,
  anyUser,
  GROUPS,
  USERS,
} from './arbitrary-security.ts';

type Change = (security: SecurityState) => SecurityChange;

const anyGroups = fc.option(fc.subarray([...GROUPS, 'nobody' as ByteString], { maxLength: 3 }), {
  nil: undefined,
});
const anyName = fc.constantFrom(...USERS, ...GROUPS, ALL, 'a b' as ByteString);
const anyOptions = fc.constantFrom(
  new Map<ByteString, ByteString>(),
  new Map([['team' as ByteString, 'a' as ByteString]]),
  new Map([['long' as ByteString, 'x'.repeat(257) as ByteString]]),
);
const anyPassword = fc.constantFrom(undefined, { salt: '0f'.repeat(16), hash: 'a1'.repeat(20) });
const anyUserRequest = fc.record({
  name: anyName,
  groups: anyGroups,
  options: anyOptions,
  password: anyPassword,
});
const anyPermissions = fc.subarray([...PERMISSIONS], { minLength: 1, maxLength: 4 });
const anyGrant = fc.record({
  roles: fc.array(anyRole, { minLength: 1, maxLength: 3 }),
  target: anyTarget,
  permissions: anyPermissions,
});
const anySource = fc.record({
  users: fc.array(fc.constantFrom(...USERS, ALL), { minLength: 1, maxLength: 2 }),
  cidr: anyCidr.map(cidrToString),
  method: fc.constantFrom('trust', 'password', 'certificate'),
  options: anyOptions,
});

const anyChange: fc.Arbitrary<Change> = fc.oneof(
  anyUserRequest.map(
    (request): Change =>
      (each) =>
        addUser(each, request),
  ),
  anyUserRequest.map(
    (request): Change =>
      (each) =>
        alterUser(each, request),
  ),
  anyUserRequest.map(
    (request): Change =>
      (each) =>
        addGroup(each, request),
  ),
  anyUserRequest.map(
    (request): Change =>
      (each) =>
        alterGroup(each, request),
  ),
  anyName.map(
    (name): Change =>
      (each) =>
        deleteUser(each, name),
  ),
  anyName.map(
    (name): Change =>
      (each) =>
        deleteGroup(each, name),
  ),
  anySource.map(
    (request): Change =>
      (each) =>
        addSource(each, request),
  ),
  anySource.map(
    (request): Change =>
      (each) =>
        deleteSource(each, request),
  ),
  anyGrant.map(
    (request): Change =>
      (each) =>
        grant(each, request),
  ),
  anyGrant.map(
    (request): Change =>
      (each) =>
        revoke(each, request),
  ),
);

function mustChange(change: SecurityChange): SecurityState {
  if (change.kind === 'refused') throw new Error(`refused: ${change.reason}`);
  return change.security;
}

t.test('whatever is done, in whatever order, can be read again', (t) => {
  fc.assert(
    fc.property(anySecurity, fc.array(anyChange, { maxLength: 20 }), (first, changes) => {
      let state = { ...stateOf(1), security: first };
      for (const change of changes) {
        const outcome = changeSecurity(state, change);
        if (outcome.kind === 'changed') state = outcome.state;
      }
      const bytes = encodeState(state);
      return encodeState(decodeState(Buffer.from(bytes))).equals(bytes);
    }),
  );
  t.end();
});

t.test('what is granted may be done until it is revoked', (t) => {
  fc.assert(
    fc.property(
      anySecurity,
      anyUser,
      anyTarget,
      anyPermission,
      (before, user, target, permission) => {
        const request = { roles: [user], target, permissions: [permission] };
        const granted = mustChange(grant(before, request));
        if (!new GrantRules(granted).allows(user, permission, target)) return false;
        // With every role's grants of it on every target gone, nobody may.
        let none = granted;
        for (const { role, target: from } of granted.grants) {
          none = mustChange(
            revoke(none, { roles: [role], target: from, permissions: [permission] }),
          );
        }
        return !new GrantRules(none).allows(user, permission, target);
      },
    ),
  );
  t.end();
});

t.test('a grant and its revocation leave the rest as it was', (t) => {
  fc.assert(
    fc.property(anySecurity, anyGrant, (before, request) => {
      const cleared = mustChange(revoke(before, request));
      const after = mustChange(revoke(mustChange(grant(cleared, request)), request));
      return JSON.stringify(after.grants) === JSON.stringify(cleared.grants);
    }),
  );
  t.end();
});

t.test('who is deleted leaves nothing to whoever gets the name next', (t) => {
  fc.assert(
    fc.property(anySecurity, anyUser, fc.constantFrom(...GROUPS), (before, user, group) => {
      const after = mustChange(deleteGroup(mustChange(deleteUser(before, user)), group));
      return (
        after.grants.every(({ role }) => role !== user && role !== group) &&
        after.sources.every((source) => source.user !== user) &&
        [...after.users.values(), ...after.groups.values()].every(
          ({ groups }) => !groups.includes(group),
        )
      );
    }),
  );
  t.end();
});

t.test('altering changes what it names and keeps the rest', (t) => {
  const name = 'ann' as ByteString;
  const password = { salt: '0f'.repeat(16), hash: 'a1'.repeat(20) };
  const options = new Map([['age', '4']] as [ByteString, ByteString][]);
  const group = { name: 'g1' as ByteString, groups: undefined, options: new Map() };
  let security = mustChange(addGroup(NO_SECURITY, group));
  const groups = [group.name];
  security = mustChange(addUser(security, { name, groups, password, options }));
  const more = new Map([['team', 'b']] as [ByteString, ByteString][]);
  const altered = { name, groups: undefined, password: undefined, options: more };
  security = mustChange(alterUser(security, altered));
  t.same(security.users.get(name), { groups, password, options: new Map([...options, ...more]) });
  security = mustChange(alterUser(security, { ...altered, groups: [] }));
  t.same(security.users.get(name)?.groups, []);
  t.end();
});

t.test('limits hold, and say of what there are too many', (t) => {
  const user = { groups: [], options: new Map(), password: undefined };
  const names = Array.from({ length: 10_000 }, (_, index) => `u${index}` as ByteString);
  const full = { ...NO_SECURITY, users: new Map(names.map((name) => [name, user])) };
  const name = 'ann' as ByteString;
  t.match(addUser(full, { ...user, name }), { reason: 'too-many', names: ['users'] });
  t.match(addUser(full, { ...user, name: 'u7' as ByteString }), { reason: 'name-in-use' });
  t.match(addUser(full, { ...user, name: ALL }), { reason: 'reserved-name' });
  const options = new Map(names.slice(0, 17).map((each) => [each, each]));
  t.match(addUser(NO_SECURITY, { ...user, name, options }), { reason: 'too-many' });
  t.end();
});
