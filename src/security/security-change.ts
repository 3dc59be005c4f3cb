/**
 * Changes of the security state: from a state to the next, or to the reason why not.
 *
 * Pure functions, since a change is made again when another one was agreed first. A result is always
 * within its limits and names only roles that are there: what a document is refused for when it is
 * read is never made here.
 */

import { utf8ToByteString, type ByteString } from '../base/bytes.ts';
import { SECURITY_LIMITS, type FreeOptions, type SecurityState } from './security-state.ts';

export type SecurityRefusal =
  | 'reserved-name'
  | 'illegal-name'
  | 'long-name'
  | 'name-in-use'
  | 'unknown-users'
  | 'unknown-groups'
  | 'long-option'
  | 'too-many';

export type SecurityChange =
  | { readonly kind: 'changed'; readonly security: SecurityState }
  | {
      readonly kind: 'refused';
      readonly reason: SecurityRefusal;
      /** Whom or what it is about. */
      readonly names: readonly ByteString[];
    };

export function refused(
  reason: SecurityRefusal,
  names: readonly ByteString[] = [],
): SecurityChange & { readonly kind: 'refused' } {
  return { kind: 'refused', reason, names };
}

/** The state with `parts` in it, if it has room for them. */
export function changed(security: SecurityState, parts: Partial<SecurityState>): SecurityChange {
  const next = { ...security, ...parts };
  const { users, groups, sources, grants } = SECURITY_LIMITS;
  const full =
    (next.users.size > users && 'users') ||
    (next.groups.size > groups && 'groups') ||
    (next.sources.length > sources && 'sources') ||
    (next.grants.length > grants && 'grants');
  return full === false
    ? { kind: 'changed', security: next }
    : refused('too-many', [utf8ToByteString(full)]);
}

/** Why `options` cannot be kept, if they cannot. */
export function optionsRefusal(options: FreeOptions): SecurityChange | undefined {
  const { options: optionsMax, optionNameBytes, optionValueBytes } = SECURITY_LIMITS;
  if (options.size > optionsMax) return refused('too-many', [utf8ToByteString('options')]);
  const long = [...options].filter(
    ([name, value]) => name.length > optionNameBytes || value.length > optionValueBytes,
  );
  return long.length === 0
    ? undefined
    : refused(
        'long-option',
        long.map(([name]) => name),
      );
}

/** Sorted by what `idOf` says; of entries with one id the last stays. */
export function sortedById<T>(entries: readonly T[], idOf: (entry: T) => ByteString): T[] {
  const byId = new Map(entries.map((entry) => [idOf(entry), entry]));
  return [...byId].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, entry]) => entry);
}
