/** Mutants of the links between nodes and of logins: what is said, and to whom. */

import type { Mutant } from './mutants.ts';

export const LINKING: readonly Mutant[] = [
  {
    name: 'two requests under way have one number',
    file: 'transport/pending-requests',
    from: 'this.#nextId = (this.#nextId + 1) % ID_LIMIT;',
    to: 'this.#nextId = (this.#nextId + 1) % 2;',
  },
  {
    name: 'a request never runs out of time',
    file: 'transport/pending-requests',
    from: 'if (request.deadlineMs <= nowMs)',
    to: 'if (false)',
    by: 'transport/pending-requests.test',
  },
  {
    name: 'a request that failed is answered as one that was carried out',
    file: 'transport/server-link',
    from: 'this.#done(new Reply(id, deadlineMs, faultFields(this.#explain(error))))',
    to: "this.#done(new Reply(id, deadlineMs, [replyToTuple({ kind: 'done' })]))",
  },
  {
    name: 'the rest of a stream is never sent',
    file: 'transport/server-stream',
    from: 'if (this.#entries.length === 0 || this.#isLeft)',
    to: 'if (this.#entriesBytes < 400 || this.#isLeft)',
  },
  {
    name: 'a link that broke is not dialled again',
    file: 'transport/peer-link',
    from: 'this.#dialLater(refused !== undefined);',
    to: 'if (!wasUp) this.#dialLater(refused !== undefined);',
  },
  {
    name: 'whoever answers is taken for the start that is known',
    file: 'transport/link-session',
    from: 'return this.#gate.admit(hello);',
    to: 'return undefined;',
    by: 'transport/link-troubles.test',
  },
  {
    name: 'a node does not hear that it was followed by another start',
    file: 'cli/node-links',
    from: 'node().succession()?.refusedBy(id, remembered)',
    to: 'undefined',
  },
  {
    name: 'streams show the certificates of when their link was opened',
    file: 'transport/grpc-carrier',
    from: 'if (newest === this.#shown)',
    to: 'if (true)',
    by: 'transport/tls.test',
  },
  {
    name: 'of several lists of revoked certificates the first alone counts',
    file: 'base/pem-blocks',
    from: 'return whole.map((block)',
    to: 'return whole.slice(0, 1).map((block)',
    by: 'transport/tls.test',
  },
  {
    name: 'each call of a peer that refuses this node has it dialled',
    file: 'transport/peer-link',
    from: 'if (waitMs <= 0)',
    to: 'if (true)',
    by: 'transport/peer-link.test',
  },
  {
    name: 'who is judged by an older state is judged for those who come after it',
    file: 'security/known-credentials',
    from: 'this.#underWay.clear();',
    to: '',
    by: 'security/known-credentials.test',
  },
  {
    name: 'a new kind of failure comes before those that have their numbers on the wire',
    file: 'peer/wire-values',
    from: 'const FAILURES = [',
    to: "const FAILURES = ['later',",
    by: 'formats/formats.test',
  },
];
