/**
 * From where users come, what roles may do, and whether any of it holds.
 */

import type { ByteString } from '../base/bytes.ts';
import { grantId } from './grant-rules.ts';
import { PERMISSIONS, type Permission, type Target } from './permission.ts';
import {
  changed,
  optionsRefusal,
  refused,
  sortedById,
  type SecurityChange,
} from './security-change.ts';
import {
  ALL,
  type FreeOptions,
  type Grant,
  type SecurityState,
  type SourceMethod,
} from './security-state.ts';
import { sourceId } from './source-rules.ts';

export interface SourcePlace {
  /** Users, or `ALL`. */
  readonly users: readonly ByteString[];
  /** In the form that `cidrToString` writes. */
  readonly cidr: string;
}

export interface SourceRequest extends SourcePlace {
  readonly method: SourceMethod;
  readonly options: FreeOptions;
}

export interface GrantRequest {
  /** Users, groups, or `ALL`. */
  readonly roles: readonly ByteString[];
  readonly target: Target | undefined;
  readonly permissions: readonly Permission[];
}

export function setEnabled(security: SecurityState, isEnabled: boolean): SecurityChange {
  return changed(security, { isEnabled });
}

/** In place of what was said of the same users and network before. */
export function addSource(security: SecurityState, request: SourceRequest): SecurityChange {
  const { users, cidr, method, options } = request;
  const unknown = users.filter((user) => user !== ALL && !security.users.has(user));
  if (unknown.length > 0) return refused('unknown-users', unknown);
  const added = users.map((user) => ({ user, cidr, method, options }));
  return (
    optionsRefusal(options) ??
    changed(security, { sources: sortedById([...security.sources, ...added], sourceId) })
  );
}

export function deleteSource(security: SecurityState, place: SourcePlace): SecurityChange {
  return changed(security, {
    sources: security.sources.filter(
      ({ user, cidr }) => cidr !== place.cidr || !place.users.includes(user),
    ),
  });
}

export function grant(security: SecurityState, request: GrantRequest): SecurityChange {
  const { permissions } = request;
  return withGrants(security, request, (before) =>
    PERMISSIONS.filter((each) => before.includes(each) || permissions.includes(each)),
  );
}

/** From what was granted on the same target: what is granted on a type stays for its buckets. */
export function revoke(security: SecurityState, request: GrantRequest): SecurityChange {
  const { permissions } = request;
  return withGrants(security, request, (before) =>
    before.filter((each) => !permissions.includes(each)),
  );
}

function withGrants(
  security: SecurityState,
  { roles, target }: GrantRequest,
  permit: (before: readonly Permission[]) => readonly Permission[],
): SecurityChange {
  const { users, groups } = security;
  const unknown = roles.filter((role) => role !== ALL && !users.has(role) && !groups.has(role));
  if (unknown.length > 0) return refused('unknown-users', unknown);
  const byId = new Map(security.grants.map((each) => [grantId(each), each]));
  const made = roles.map((role): Grant => {
    const before = byId.get(grantId({ role, target }))?.permissions ?? [];
    return { role, target, permissions: permit(before) };
  });
  const grants = sortedById([...security.grants, ...made], grantId);
  return changed(security, { grants: grants.filter(({ permissions }) => permissions.length > 0) });
}
