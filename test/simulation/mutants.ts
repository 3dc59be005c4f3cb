/**
 * Mutants: bugs to be planted in the real code, one at a time, that the judges must find.
 *
 * Each is a change of one line of the compiled code. `mutants.test.ts` sees to it that every line is
 * still there; `npm run mutate` plants them and says at which seed each is caught.
 */

import { ERASING } from './erasure-mutants.ts';
import { IDENTITY } from './identity-mutants.ts';
import { INDEXING } from './index-mutants.ts';
import { LINKING } from './link-mutants.ts';
import { LOGGING } from './log-mutants.ts';
import { PLANNING } from './plan-mutants.ts';
import { REPLICATING } from './replication-mutants.ts';

export interface Mutant {
  readonly name: string;
  /** Below `src`, without an ending. */
  readonly file: string;
  /** Occurs exactly once in the compiled file. */
  readonly from: string;
  readonly to: string;
  /**
   * The test whose judges are nearer to it than the simulation's, below `test`: races that a whole
   * cluster runs into too seldom.
   */
  readonly by?: string;
}

const MERGING: readonly Mutant[] = [
  {
    name: 'a merge forgets what only one side has',
    file: 'object/reconcile',
    from: 'if (!covers(right.context, mine.dot))',
    to: 'if (false)',
  },
  {
    name: 'a merge keeps what the other side has superseded',
    file: 'object/reconcile',
    from: 'if (!covers(right.context, mine.dot))',
    to: 'if (true)',
  },
  {
    name: 'a merge keeps the context of one side',
    file: 'object/reconcile',
    from: 'const context = merge(left.context, right.context);',
    to: 'const context = left.context;',
  },
  {
    name: 'a write drops siblings that its client has not seen',
    file: 'object/reconcile',
    from: 'return local.siblings.filter((sibling) => !covers(write.context, sibling.dot));',
    to: 'return [];',
  },
  {
    name: 'a write keeps the siblings that its client has seen',
    file: 'object/reconcile',
    from: 'return local.siblings.filter((sibling) => !covers(write.context, sibling.dot));',
    to: 'return local.siblings;',
  },
  {
    name: 'a write forgets what the copy had seen',
    file: 'object/reconcile',
    from: 'withDot(merge(write.context, local.context), dot)',
    to: 'withDot(write.context, dot)',
  },
  {
    name: 'a merge puts the peer’s copy in the place of its own',
    file: 'replica/changes',
    from: 'const object = merged === remote ? remote : objectOf(local);',
    to: 'const object = remote;',
  },
  {
    name: 'what a reaped tombstone had superseded comes back',
    file: 'replica/changes',
    from: 'const object = grave === undefined ? remote : risenFrom(grave, remote);',
    to: 'const object = remote;',
    by: 'replica/tombstones.test',
  },
];

const STORING: readonly Mutant[] = [
  {
    name: 'a write is acknowledged before it is durable',
    file: 'replica/write-path',
    from: 'this.#store.write(this.#ports.operations(slot, changes)).then(',
    to: 'Promise.race([this.#store.write(this.#ports.operations(slot, changes)), 0]).then(',
  },
  {
    name: 'hash trees miss a change',
    file: 'replica/copy-operations',
    from: 'operations.push(changed.row);',
    to: 'if (before === undefined) operations.push(changed.row);',
  },
  {
    name: 'a copy is not filed under its segment',
    file: 'replica/copy-operations',
    from: "operations.push({ kind: 'put', key: member, head: hash });",
    to: '',
  },
  {
    name: 'tombstones are not noted',
    file: 'replica/copy-operations',
    from: 'if (isNowTombstone) {',
    to: 'if (false) {',
  },
  {
    name: 'a copy is shown under whatever key it lies',
    file: 'storage/stored-value',
    from: 'return stored.length >= TIE_SIZE && crc32(key) === stored.readUInt32BE(MARK_SIZE);',
    to: 'return true;',
    by: 'storage/log-entry.test',
  },
  {
    name: 'a damaged record passes for a sound one',
    file: 'object/record',
    from: 'return isSound ? assemble(record, opened) : undefined;',
    to: 'return assemble(record, opened);',
    by: 'replica/damage.test',
  },
];

const REMEMBERING: readonly Mutant[] = [
  {
    name: 'a node starts on the store of another',
    file: 'node/store-owner',
    from: 'if (owner !== undefined)',
    to: 'if (false)',
    by: 'node/store-owner.test',
  },
  {
    name: 'a head is remembered while its copy changes',
    file: 'replica/recent-heads',
    from: 'if (stored !== undefined)',
    to: 'if (false)',
    by: 'replica/histories.test',
  },
  {
    name: 'a copy is let go of before it is durable',
    file: 'replica/write-path',
    from: 'slot.isWriting || slot.queue.length > 0 || slot.isAbandoned)',
    to: 'slot.queue.length > 0 || slot.isAbandoned)',
    by: 'replica/store-replica.test',
  },
  {
    name: 'the head of a copy in another partition passes for this one’s',
    file: 'replica/write-path',
    from: 'if (stored?.partition !== partition || this.#damaged.has(slot.id))',
    to: 'if (stored === undefined || this.#damaged.has(slot.id))',
    by: 'replica/recent-heads.test',
  },
  {
    name: 'the head of a damaged copy is trusted',
    file: 'replica/write-path',
    from: 'if (stored?.partition !== partition || this.#damaged.has(slot.id))',
    to: 'if (stored?.partition !== partition)',
    by: 'replica/recent-heads.test',
  },
  {
    name: 'a head is remembered though its copy has changed since',
    file: 'replica/write-path',
    from: 'if (recalled !== undefined && recalled.head === storedHead)',
    to: 'if (recalled !== undefined)',
    by: 'replica/histories.test',
  },
  {
    name: 'a record outlives the copy',
    file: 'replica/store-replica',
    from: 'this.#recent.changed(slot.id, after?.record);',
    to: '',
    by: 'replica/recent-records.test',
  },
  {
    name: 'a read brings back the record of before',
    file: 'replica/recent-records',
    from: 'if (mark !== this.#writeCount || !this.#fits(found.record))',
    to: 'if (!this.#fits(found.record))',
    by: 'replica/recent-records.test',
  },
  {
    name: 'a failed commit leaves what was remembered of it',
    file: 'replica/store-replica',
    from: 'this.#recent.changed(id, undefined);',
    to: '',
    by: 'replica/recent-records.test',
  },
  {
    name: 'what was found damaged is remembered all the same',
    file: 'replica/damaged-copies',
    from: 'this.#forget(id);',
    to: '',
    by: 'replica/recent-records.test',
  },
  {
    name: 'what repair doubts is remembered all the same',
    file: 'replica/store-replica',
    from: 'this.#forget(keyToString(key));',
    to: '',
    by: 'repair/scrub.test',
  },
  {
    name: 'a refusal over HTTP asks for the next',
    file: 'api/http/reading-turns',
    from: 'if (!lane.isOverdue)',
    to: 'if (true)',
    by: 'api/http/reading-turns.test',
  },
];

const MOVING: readonly Mutant[] = [
  {
    name: 'a node says that it is full before it is',
    file: 'repair/step-transfer',
    from: 'if (!(await new Fill(this.#ports, means, halt).run(trees)))',
    to: 'if (trees.length < 0)',
    by: 'repair/transfers.test',
  },
  {
    name: 'a member leaves with a copy that no tree in use counts',
    file: 'repair/leftovers',
    from: 'if ((await replica.holdsCopies()) && !(await this.#hasNothingReadable(halt)))',
    to: 'if (false)',
    by: 'repair/transfers.test',
  },
  {
    name: 'a former replica drops what nobody has confirmed',
    file: 'repair/leftovers',
    from: 'if (holdsAll(theirs, head))',
    to: 'if (true)',
    by: 'repair/transfers.test',
  },
];

const COUNTING: readonly Mutant[] = [
  {
    name: 'a lower n_val leaves copies behind',
    file: 'repair/replica-counts',
    from: 'if (nValIn(before, scope) !== nValIn(after, scope))',
    to: 'if (false)',
    by: 'node/repair.test',
  },
  {
    name: 'an n_val that came and went leaves copies behind',
    file: 'repair/replica-count-ledger',
    from: 'this.#changed.set(name, scope)',
    to: 'if (!this.#changed.delete(name)) this.#changed.set(name, scope)',
    by: 'node/repair.test',
  },
  {
    name: 'a copy is counted by the n_val that its write was planned with',
    file: 'replica/write-path',
    from: 'slot.tree?.nVal === nVal ? slot.tree :',
    to: 'slot.tree ??',
    by: 'replica/changed-counts.test',
  },
  {
    name: 'a recount leaves what is being written to the tree of before',
    file: 'replica/counted-copies',
    from: 'if (place.partition === partition && this.#isCounted(place.key, nVal))',
    to: 'if (slot.tree?.nVal === nVal)',
    by: 'replica/changed-counts.test',
  },
  {
    name: 'a kill makes a node forget an n_val that came and went',
    file: 'repair/replica-count-ledger',
    from: 'return this.#store.write(marks)',
    to: 'return Promise.resolve()',
    by: 'node/repair.test',
  },
  {
    name: 'who asked what it forgot is never sure again',
    file: 'membership/vote-recovery',
    from: "vote: heard.accepted === undefined ? 'free' : 'regained'",
    to: "vote: 'regained'",
    by: 'membership/agreement.test',
  },
  {
    name: 'two who have lost their disks give each other their votes back',
    file: 'membership/vote-recovery',
    from: "answers.every(({ vote }) => vote === 'unsure' || vote === 'founding')",
    to: "answers.every(({ vote }) => vote !== 'regained')",
    by: 'membership/vote-recovery.test',
  },
];

const COORDINATING: readonly Mutant[] = [
  {
    name: 'a failed replica counts as one that has stored',
    file: 'coordinator/write',
    from: '(error) => this.#lose(participant, error)',
    to: '() => this.#decide(this.#tally.acknowledge(participant))',
  },
  {
    name: 'stand-ins are as good as primaries to a write',
    file: 'coordinator/requirement',
    from: 'pw: resolveQuorum(options.pw ?? properties.pw, n)',
    to: 'pw: 0',
    by: 'simulation/simulation.test',
  },
  {
    name: 'stand-ins are as good as primaries to a read',
    file: 'coordinator/requirement',
    from: 'pr: resolveQuorum(options.pr ?? properties.pr, n)',
    to: 'pr: 0',
    by: 'simulation/simulation.test',
  },
  {
    name: 'distinct nodes are not counted',
    file: 'coordinator/tally',
    from: 'count.ok >= Math.max(w, dw) && count.okPrimaries >= pw && count.okNodes >= nodeConfirms',
    to: 'count.ok >= Math.max(w, dw) && count.okPrimaries >= pw',
  },
  {
    name: 'a chain goes on without its copy',
    file: 'replica/client-write',
    from: 'const dot = chains.next(slot.id, { local, client: this.#maker.seen });',
    to: 'const dot = (this.dot ??= chains.next(slot.id, { local, client: this.#maker.seen }));',
    by: 'replica/damage.test',
  },
  {
    name: 'a quorum in one of two rings is enough',
    file: 'coordinator/joint-tally',
    from: "if (verdict === undefined || verdict.kind === 'met')",
    to: 'if (verdict === undefined)',
    by: 'coordinator/joint-tally.test',
  },
];

const REPAIRING: readonly Mutant[] = [
  {
    name: 'a hint is settled though its target did not take the copy',
    file: 'repair/hinted-handoff',
    from: 'if (!(await this.#give(receiver, hint, record)))',
    to: 'if (false)',
    by: 'repair/hinted-handoff.test',
  },
  {
    name: 'a hint takes away a copy that has changed since',
    file: 'replica/changes',
    from: 'if (copy !== undefined && !isSame(copy, confirmedHash))',
    to: 'if (false)',
    by: 'replica/store-replica.test',
  },
  {
    name: 'anti-entropy finds no differences',
    file: 'repair/differing-keys',
    from: 'theirs?.hash.equals(mine.hash) === true',
    to: 'true',
  },
  {
    name: 'anti-entropy heals nothing',
    file: 'repair/healing',
    from: 'this.segments.add(segmentOf(key));',
    to: 'continue;',
  },
  {
    name: 'whatever is there is reaped',
    file: 'replica/changes',
    from: 'if (!isTombstone(copy.head) || !isSame(copy, this.#tombstoneHash))',
    to: 'if (false)',
    by: 'repair/reaper.test',
  },
];

const JOINING: readonly Mutant[] = [
  {
    name: 'a join of grow-only sets is one of them',
    file: 'datatype/state',
    from: "const elements = yield* joinStores('gset', [left.elements, right.elements], NO_DOTS);",
    to: 'const elements = left.elements;',
  },
  {
    name: 'a join of sketches takes the lower registers',
    file: 'datatype/hyperloglog',
    from: 'if (other[index] > merged[index])',
    to: 'if (other[index] < merged[index])',
  },
  {
    name: 'a join brings back what one side has removed',
    file: 'datatype/join',
    from: 'return isUnseen(entry, rightSeen) || right.some((other) => isSameDot(entry, other));',
    to: 'return true;',
  },
  {
    name: 'a join forgets what only the right side has added',
    file: 'datatype/join',
    from: 'if (isUnseen(entry, leftSeen))',
    to: 'if (false)',
  },
];

const AGREEING: readonly Mutant[] = [
  {
    name: 'that there is nothing to change is said of a state that is behind',
    file: 'membership/proposer',
    from: "else if (outcome.kind !== 'unchanged' || newest === newestOfAll)",
    to: 'else',
    by: 'membership/agreement.test',
  },
  {
    name: 'a gatekeeper goes by the rules of before',
    file: 'node/agreed-gatekeeper',
    from: 'if (this.#kept?.security !== security)',
    to: 'if (this.#kept === undefined)',
  },
  {
    name: 'security that was changed is taken for what was read last',
    file: 'membership/state-document',
    from: 'const isSame = json !== undefined && securityBytes(bytes)?.equals(lastRead.bytes) === true;',
    to: 'const isSame = json !== undefined && lastRead.bytes.length > 0;',
    by: 'membership/security-document.test',
  },
  {
    name: 'a voter forgets its promise in a crash',
    file: 'membership/state-keeper',
    from: 'await this.#log.save(encodeRecord(record));',
    to: 'if (record.state !== before.state) await this.#log.save(encodeRecord(record));',
    by: 'membership/agreement.test',
  },
  {
    name: 'a proposer does not adopt what was accepted before',
    file: 'membership/agreement',
    from: "reply: { kind: 'promised', accepted: record.accepted }",
    to: "reply: { kind: 'promised', accepted: undefined }",
    by: 'membership/agreement.test',
  },
  {
    name: 'fewer than a majority decide',
    file: 'membership/agreement',
    from: 'return Math.floor(voterCount / 2) + 1;',
    to: 'return Math.ceil(voterCount / 2) - 1 || 1;',
  },
];

const FOLDING: readonly Mutant[] = [
  {
    name: 'pieces of two nodes that end with one key are taken for one',
    file: 'coordinator/coverage',
    from: 'isSameIfEqual: false',
    to: 'isSameIfEqual: true',
    by: 'node/folds.test',
  },
  {
    name: 'a key that was too dear to judge passes a negation',
    file: 'mapreduce/key-filter',
    from: ' && !allowance.isOverrun',
    to: '',
    by: 'mapreduce/key-filter.test',
  },
  {
    name: 'a fold that goes on tells once more of the key before',
    file: 'replica/fold-scan',
    from: 'if (key === after)',
    to: 'if (false)',
    by: 'replica/fold-scan.test',
  },
  {
    name: 'an erase covers what was written since its keys were found',
    file: 'node/folds',
    from: 'this.#ports.delete({ key, context: seen })',
    to: 'this.#ports.delete({ key })',
    by: 'node/folds.test',
  },
];

export const MUTANTS: readonly Mutant[] = [
  ...MERGING,
  ...IDENTITY,
  ...LINKING,
  ...INDEXING,
  ...LOGGING,
  ...STORING,
  ...REMEMBERING,
  ...MOVING,
  ...COUNTING,
  ...COORDINATING,
  ...REPAIRING,
  ...JOINING,
  ...AGREEING,
  ...FOLDING,
  ...ERASING,
  ...PLANNING,
  ...REPLICATING,
];
