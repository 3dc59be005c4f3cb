/** Bugs in how a ring is planned. */

import type { Mutant } from './mutants.ts';

export const PLANNING: readonly Mutant[] = [
  {
    name: 'a search for a ring never gives way',
    file: 'ring/claim-search',
    from: 'if (this.looks >= sliceEnd)',
    to: 'if (false)',
    by: 'ring/claim-search.test',
  },
  {
    name: 'a node that has given a partition away still counts as near there',
    file: 'ring/claim-near',
    from: 'this.#add(before, place, -1);',
    to: '',
    by: 'ring/claim-search.test',
  },
];
