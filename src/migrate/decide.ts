/**
 * What is to be done with one key, decided by what both ends show and by what the ledger remembers.
 *
 * The rule is that of a three-way merge whose base is the last copy: who has not changed since then
 * takes what the other has. What changed, or went, at the target stays as it is unless the source can
 * be seen to have had it. Nothing here knows of time or of writes under way: the write that follows is
 * conditional on what the target showed.
 */

import { ABSENT, holdsSame, isWithin } from './carried-object.ts';
import type { Reading, Version } from './carried-object.ts';

/** What the ledger knows of a key: what both ends showed when they were last the same. */
export interface Entry {
  /** The pass that looked at the key last. */
  readonly pass: number;
  /** `writing`: several siblings were about to be written; `target` is from before that. */
  readonly state: 'same' | 'writing';
  readonly source: Version;
  readonly target: Version;
  /** The pass met the key and could not settle it; the versions are from before. */
  readonly isOpen?: boolean;
}

export type Verdict =
  /** The source shows what it showed at the last copy: the target is ahead, or the same. */
  | 'unchanged'
  /** Both hold the same; the ledger is to know. */
  | 'same'
  /** Neither has it. */
  | 'neither'
  /** The target never had it, as far as can be told. */
  | 'create'
  /** The target still has what was copied. */
  | 'replace'
  /** The source deleted what the target still has as it was copied. */
  | 'delete'
  /** A copy of several siblings was broken off. */
  | 'complete'
  /** Both changed, or the target holds something else that no copy brought. */
  | 'conflict'
  /** The target knows the key as deleted. */
  | 'deleted-at-target';

export function decide(entry: Entry | undefined, source: Reading, target: Reading): Verdict {
  if (entry?.state === 'same' && source.version === entry.source) return 'unchanged';
  if (holdsSame(source.carried, target.carried)) {
    return source.carried === undefined && entry === undefined ? 'neither' : 'same';
  }
  if (entry === undefined) return withoutEntry(source, target);
  if (target.version === entry.target) {
    return source.carried === undefined ? 'delete' : 'replace';
  }
  const isBrokenOff =
    entry.state === 'writing' &&
    entry.source === source.version &&
    source.carried !== undefined &&
    target.carried !== undefined &&
    isWithin(target.carried, source.carried);
  if (isBrokenOff) return 'complete';
  return target.version === ABSENT ? 'deleted-at-target' : 'conflict';
}

function withoutEntry(source: Reading, target: Reading): Verdict {
  // What only the target has was never copied: it is not the source's to delete.
  if (source.carried === undefined) return 'neither';
  if (target.carried !== undefined) return 'conflict';
  return target.context === undefined ? 'create' : 'deleted-at-target';
}
