/**
 * Commit hooks: code of the operator's that sees each write of a bucket, before it is made and after.
 *
 * A pre-commit hook may refuse a write or give another content in its place; hooks run one after the
 * other, where the write is coordinated. A post-commit hook is told of what was written, and no one
 * waits for it. Without a runner a bucket that wants checks takes no writes: none must slip past.
 */

import type { ObjectKey } from '../base/names.ts';
import type { CommitHook } from '../object/bucket-properties.ts';
import type { NewContent } from '../object/requests.ts';

export interface HookedWrite {
  readonly key: ObjectKey;
  readonly content: NewContent;
}

export type HookVerdict =
  | { readonly kind: 'passed'; readonly content: NewContent }
  /** `reason` is for the client, if there is one. */
  | { readonly kind: 'failed'; readonly reason: string | undefined };

export interface CommitHooks {
  /** Never rejects. A hook that is not there, throws or takes longer than `timeoutMs` fails. */
  before(hooks: readonly CommitHook[], write: HookedWrite, timeoutMs: number): Promise<HookVerdict>;
  /** Returns at once; what becomes of it is the runner's to count. */
  after(hooks: readonly CommitHook[], write: HookedWrite): void;
}

export const NO_HOOKS: CommitHooks = {
  before: () => Promise.resolve({ kind: 'failed', reason: undefined }),
  after: () => undefined,
};
