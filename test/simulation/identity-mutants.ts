/** Mutants of who issues dots, and of who is told from whom. */

import type { Mutant } from './mutants.ts';

export const IDENTITY: readonly Mutant[] = [
  {
    name: 'actors go on after a kill',
    file: 'replica/identity',
    from: 'const actorsBefore = found.isClean && isLast ? found : undefined;',
    to: 'const actorsBefore = found;',
    by: 'replica/identity.test',
  },
  {
    name: 'actors go on after a clean stop though nobody vouches for them',
    file: 'replica/identity',
    from: 'this.#isUndecided = actorsBefore !== undefined;',
    to: 'this.#isUndecided = false;',
    by: 'replica/identity.test',
  },
  {
    name: 'a start has the mark of the one before',
    file: 'replica/identity',
    from: 'const start = newStart(host, found.incarnation + 1);',
    to: 'const start = { incarnation: found.incarnation + 1, mark: found.identity };',
  },
  {
    name: 'an older copy of a disk is let in',
    file: 'transport/handshake',
    from: 'if (isOlderCopy(hello, known))',
    to: 'if (false)',
    by: 'transport/handshake.test',
  },
  {
    name: 'who may have forgotten a start vouches for the one before',
    file: 'transport/peer-gate',
    from: 'last !== undefined && last.isLast && isDescendant(hello, last);',
    to: 'last !== undefined && isDescendant(hello, last);',
    by: 'transport/handshake.test',
  },
  {
    name: 'a restart forgets which starts of its peers were let in',
    file: 'node/peer-starts',
    from: 'this.#starts.set(node, start);',
    to: 'this.#starts.delete(node);',
    by: 'node/older-copy.test',
  },
  {
    name: 'an older copy stays what it is',
    file: 'node/node-parts',
    from: 'const mayHaveForgotten = isOld || (given.options.mayHaveForgotten ?? false);',
    to: 'const mayHaveForgotten = given.options.mayHaveForgotten ?? false;',
    by: 'node/older-copy.test',
  },
  {
    name: 'a restored store keeps its identity',
    file: 'replica/identity',
    from: 'const isNew = found === undefined || (options.mayHaveForgotten ?? false);',
    to: 'const isNew = found === undefined;',
    by: 'replica/identity.test',
  },
  {
    name: 'an old image counts on from the store that followed it',
    file: 'replica/identity',
    from: 'await this.#note({ isNeverLinked: false });',
    to: 'await Promise.resolve();',
    by: 'node/succession.test',
  },
  {
    name: 'a new store is not counted on from the lost one',
    file: 'node/succession',
    from: 'if (this.#isOld || (wasNeverLinked && incarnation < own))',
    to: 'if (true)',
    by: 'simulation/simulation.test',
  },
  {
    name: 'a key epoch is given out twice',
    file: 'replica/identity',
    from: 'this.#lastKeyEpoch += 1;',
    to: 'this.#lastKeyEpoch ||= 1;',
  },
  {
    name: 'a chain goes on though a peer knows more of it',
    file: 'replica/own-chains',
    from: 'this.#closedKeys.add(id);',
    to: 'this.#closedKeys.delete(id);',
    by: 'replica/histories.test',
  },
];
