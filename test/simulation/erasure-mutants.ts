/** Bugs in the erasure of a key. */

import type { Mutant } from './mutants.ts';

export const ERASING: readonly Mutant[] = [
  {
    name: 'an erasure takes a member that is away for one that holds nothing',
    file: 'node/key-erasure',
    from: "state === 'unknown' || state === 'damaged'",
    to: "state === 'damaged'",
    by: 'node/key-erasure.test',
  },
  {
    name: 'an erasure covers what comes after it',
    file: 'node/key-erasure',
    from: "values.some((dot) => dots.has(dot)) ? 'left' : 'rewritten'",
    to: "'left'",
    by: 'node/key-erasure.test',
  },
  {
    name: 'an erasure takes a tombstone for nothing',
    file: 'node/key-erasure',
    from: "keepsTombstone || copies.every(({ state }) => state === 'absent')",
    to: 'true',
    by: 'node/key-erasure.test',
  },
];
