/** Bugs in the entries of secondary indexes, and in what finds those that damage took. */

import type { Mutant } from './mutants.ts';

export const INDEXING: readonly Mutant[] = [
  {
    name: 'index entries of what was overwritten stay',
    file: 'replica/copy-operations',
    from: 'if (newNames.has(entryName(entry)))',
    to: 'if (true)',
  },
  {
    name: 'index entries are not written',
    file: 'replica/copy-operations',
    from: 'if (kept.has(entryName(entry)))',
    to: 'if (true)',
  },
  {
    name: 'index entries of siblings that were not shown are taken to be there',
    file: 'replica/copy-operations',
    from: 'before?.siblings.length === 1',
    to: 'before !== undefined',
    by: 'replica/store-replica.test',
  },
  {
    name: 'a mended store is not looked through for index entries',
    file: 'node/node-parts',
    from: 'options.isMended === true ?',
    to: 'options.isMended === undefined ?',
    by: 'node/operations.test',
  },
  {
    name: 'an index repair forgets how far it was',
    file: 'repair/index-repair',
    from: 'if (this.#debt === debt && halt.isSet)',
    to: 'if (this.#debt !== debt)',
    by: 'repair/index-repair.test',
  },
];
