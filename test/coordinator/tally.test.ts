/**
 * The tally against a model that tries every way the open replies could still come in.
 */

import fc from 'fast-check';
import t from 'tap';
import type { NodeId } from '../../src/base/names.ts';
import type { Participant } from '../../src/coordinator/participants.ts';
import {
  reachOf,
  validateRead,
  validateWrite,
  type ReadRequirement,
  type WriteRequirement,
} from '../../src/coordinator/requirement.ts';
import {
  ReadTally,
  WriteTally,
  type ReadReply,
  type ReplicaFailure,
} from '../../src/coordinator/tally.ts';

const READ_REPLIES = [
  'object',
  'tombstone',
  'absent',
  'failed',
  'overloaded',
  'timed-out',
] as const satisfies readonly ReadReply[];

type WriteReply = 'ack' | ReplicaFailure;
const WRITE_REPLIES = ['ack', 'failed', 'overloaded', 'timed-out'] as const;

const participants = fc
  .array(
    fc.record({ positionCount: fc.integer({ min: 1, max: 2 }), primaries: fc.nat({ max: 2 }) }),
    { minLength: 1, maxLength: 5 },
  )
  .map((list) =>
    list.map(({ positionCount, primaries }, index): Participant => {
      const primaryCount = Math.min(primaries, positionCount);
      const isStandIn = primaryCount < positionCount;
      return {
        node: `n${index}` as NodeId,
        positionCount,
        primaryCount,
        hintTargets: isStandIn ? [`down${index}` as NodeId] : [],
      };
    }),
  );

function node(name: string, positionCount = 1, primaryCount = positionCount): Participant {
  return { node: name as NodeId, positionCount, primaryCount, hintTargets: [] };
}

const [A, B, C] = [node('a'), node('b'), node('c')];
const F = { ...node('f', 1, 0), hintTargets: ['c' as NodeId] };

function sum(list: readonly Participant[], of: (participant: Participant) => number): number {
  return list.reduce((total, participant) => total + of(participant), 0);
}

interface Said<Reply> {
  readonly participant: Participant;
  readonly reply: Reply;
}

/** Whether these replies alone answer the read. */
function readIsMet(
  required: ReadRequirement,
  said: readonly Said<ReadReply>[],
  silent: readonly Participant[],
): boolean {
  const good = said.filter(({ reply }) => {
    return (
      reply === 'object' || reply === 'tombstone' || (reply === 'absent' && required.notFoundOk)
    );
  });
  const nodes = good.map(({ participant }) => participant);
  const proof = said.some(({ participant, reply }) => {
    return (
      reply === 'object' ||
      reply === 'tombstone' ||
      (reply === 'absent' && participant.primaryCount > 0)
    );
  });
  return (
    sum(nodes, (each) => each.positionCount) >= Math.max(1, required.r) &&
    sum(nodes, (each) => each.primaryCount) >= required.pr &&
    nodes.length >= required.nodeConfirms &&
    (proof || silent.every((each) => each.primaryCount === 0))
  );
}

/** Riak's give-up rule for `basic_quorum`. */
function readGivesUp(required: ReadRequirement, said: readonly Said<ReadReply>[]): boolean {
  if (!required.basicQuorum) return false;
  const bad = said.filter(({ reply }) => {
    return (
      reply !== 'object' && reply !== 'tombstone' && !(reply === 'absent' && required.notFoundOk)
    );
  });
  const positions = sum(
    bad.map(({ participant }) => participant),
    (each) => each.positionCount,
  );
  return positions >= Math.floor(required.n / 2) + 1;
}

const readRequirement = fc.record({
  n: fc.constant(0),
  r: fc.nat({ max: 10 }),
  pr: fc.nat({ max: 10 }),
  nodeConfirms: fc.nat({ max: 5 }),
  notFoundOk: fc.boolean(),
  basicQuorum: fc.boolean(),
});

const writeRequirement = fc.record({
  n: fc.constant(0),
  w: fc.nat({ max: 10 }),
  dw: fc.integer({ min: 1, max: 10 }),
  pw: fc.nat({ max: 10 }),
  nodeConfirms: fc.nat({ max: 5 }),
});

/** All lists of `length` items out of `choices`. */
function* combinations<T>(choices: readonly T[], length: number): Generator<readonly T[]> {
  if (length === 0) {
    yield [];
    return;
  }
  for (const rest of combinations(choices, length - 1)) {
    for (const choice of choices) yield [...rest, choice];
  }
}

t.test('a read is decided exactly when no open reply can change it', (t) => {
  fc.assert(
    fc.property(
      participants,
      readRequirement,
      fc.array(fc.constantFrom(...READ_REPLIES), { minLength: 5, maxLength: 5 }),
      (list, partial, replies) => {
        const reach = reachOf(list);
        const required = { ...partial, n: reach.positions };
        fc.pre(validateRead(required, reach) === undefined);
        const tally = new ReadTally(required, list);
        let expected: 'pending' | 'met' | 'failed' = 'pending';
        for (let index = 0; index < list.length; index += 1) {
          const verdict = tally.reply(list[index] ?? A, replies[index] ?? 'failed');
          const said = list
            .slice(0, index + 1)
            .map((participant, at) => ({ participant, reply: replies[at] ?? 'failed' }));
          const open = list.slice(index + 1);
          if (expected === 'pending') {
            if (readIsMet(required, said, open)) expected = 'met';
            else if (readGivesUp(required, said) && !readIsMet(required, said, [])) {
              expected = 'failed';
            } else if (!canBeRead(required, said, open)) expected = 'failed';
          }
          const got =
            verdict.kind === 'pending' || verdict.kind === 'met' ? verdict.kind : 'failed';
          if (got !== expected) return false;
        }
        return expected !== 'pending';
      },
    ),
    { numRuns: 1_000 },
  );
  t.end();
});

function canBeRead(
  required: ReadRequirement,
  said: readonly Said<ReadReply>[],
  open: readonly Participant[],
): boolean {
  for (const replies of combinations(['object', 'absent', 'failed'] as const, open.length)) {
    const all = [
      ...said,
      ...open.map((participant, at) => ({ participant, reply: replies[at] ?? 'failed' })),
    ];
    if (readIsMet(required, all, [])) return true;
  }
  return false;
}

t.test('a write is decided exactly when no open reply can change it', (t) => {
  fc.assert(
    fc.property(
      participants,
      writeRequirement,
      fc.array(fc.constantFrom(...WRITE_REPLIES), { minLength: 5, maxLength: 5 }),
      (list, partial, replies) => {
        const reach = reachOf(list);
        const required = { ...partial, n: reach.positions };
        fc.pre(validateWrite(required, reach) === undefined);
        const tally = new WriteTally(required, list);
        let expected: 'pending' | 'met' | 'failed' = 'pending';
        for (let index = 0; index < list.length; index += 1) {
          const reply = replies[index] ?? 'failed';
          const participant = list[index] ?? A;
          const verdict =
            reply === 'ack' ? tally.acknowledge(participant) : tally.fail(participant, reply);
          const said = list
            .slice(0, index + 1)
            .map((participant, at) => ({ participant, reply: replies[at] ?? 'failed' }));
          if (expected === 'pending') {
            if (writeIsMet(required, said)) expected = 'met';
            else if (!canBeWritten(required, said, list.slice(index + 1))) expected = 'failed';
          }
          const got =
            verdict.kind === 'pending' || verdict.kind === 'met' ? verdict.kind : 'failed';
          if (got !== expected) return false;
        }
        return expected !== 'pending';
      },
    ),
    { numRuns: 1_000 },
  );
  t.end();
});

function writeIsMet(required: WriteRequirement, said: readonly Said<WriteReply>[]): boolean {
  const nodes = said.filter(({ reply }) => reply === 'ack').map(({ participant }) => participant);
  const positions = sum(nodes, (each) => each.positionCount);
  return (
    positions >= required.w &&
    positions >= required.dw &&
    sum(nodes, (each) => each.primaryCount) >= required.pw &&
    nodes.length >= required.nodeConfirms
  );
}

function canBeWritten(
  required: WriteRequirement,
  said: readonly Said<WriteReply>[],
  open: readonly Participant[],
): boolean {
  for (const replies of combinations(['ack', 'failed'] as const, open.length)) {
    const all = open.map((participant, at) => ({ participant, reply: replies[at] ?? 'failed' }));
    if (writeIsMet(required, [...said, ...all])) return true;
  }
  return false;
}

const READ: ReadRequirement = {
  n: 3,
  r: 2,
  pr: 0,
  nodeConfirms: 0,
  notFoundOk: true,
  basicQuorum: false,
};
const WRITE: WriteRequirement = { n: 3, w: 2, dw: 2, pw: 0, nodeConfirms: 0 };

t.test('the first two "no copy" answer a default read', (t) => {
  const tally = new ReadTally(READ, [A, B, C]);
  t.equal(tally.reply(A, 'absent').kind, 'pending');
  t.equal(tally.reply(B, 'absent').kind, 'met');
  t.equal(tally.reply(C, 'object').kind, 'met');
  t.end();
});

t.test('one node that holds all three positions answers alone', (t) => {
  const alone = node('a', 3);
  t.equal(new ReadTally({ ...READ, r: 3, pr: 3 }, [alone]).reply(alone, 'object').kind, 'met');
  const write = new WriteTally({ ...WRITE, w: 3, dw: 3, pw: 3 }, [alone]);
  t.equal(write.acknowledge(alone).kind, 'met');
  t.end();
});

t.test('without notfound_ok a missing key takes all replies, with basic_quorum a majority', (t) => {
  const patient = new ReadTally({ ...READ, r: 1, notFoundOk: false }, [A, B, C]);
  t.equal(patient.reply(A, 'absent').kind, 'pending');
  t.equal(patient.reply(B, 'absent').kind, 'pending');
  t.equal(patient.reply(C, 'absent').kind, 'not-found');
  const quick = new ReadTally({ ...READ, r: 1, notFoundOk: false, basicQuorum: true }, [A, B, C]);
  t.equal(quick.reply(A, 'absent').kind, 'pending');
  t.equal(quick.reply(B, 'absent').kind, 'not-found');
  t.end();
});

t.test('a stand-in that holds nothing does not answer while a primary may', (t) => {
  const other = { ...node('g', 1, 0), hintTargets: ['b' as NodeId] };
  const tally = new ReadTally(READ, [A, F, other]);
  t.equal(tally.reply(F, 'absent').kind, 'pending');
  t.equal(tally.reply(other, 'absent').kind, 'pending');
  t.equal(tally.reply(A, 'object').kind, 'met');
  const lost = new ReadTally(READ, [A, F, other]);
  lost.reply(F, 'absent');
  lost.reply(other, 'absent');
  t.equal(lost.reply(A, 'failed').kind, 'met');
  t.end();
});

t.test('a stand-in is no node of its own beside the one that it gives its copy to', (t) => {
  // While the write was under way the replica came back, took over what the stand-in held and confirmed.
  const returned = { ...node('c', 1, 0), hintTargets: ['b' as NodeId] };
  const confirmed = { ...WRITE, nodeConfirms: 2 };
  for (const [first, second] of [
    [F, returned],
    [returned, F],
  ] as const) {
    const tally = new WriteTally(confirmed, [A, B, F]);
    tally.replace(B, returned);
    t.equal(tally.acknowledge(first).kind, 'pending');
    t.equal(tally.acknowledge(second).kind, 'pending', 'one disk may hold it alone');
    t.equal(tally.acknowledge(A).kind, 'met');
  }
  const lost = new WriteTally(confirmed, [A, B, F]);
  lost.replace(B, returned);
  lost.acknowledge(F);
  lost.acknowledge(returned);
  const failure = { kind: 'unsatisfied', quorum: 'node_confirms', needed: 2, got: 1 };
  t.same(lost.fail(A, 'failed'), failure);
  const apart = new WriteTally(confirmed, [A, F]);
  apart.acknowledge(F);
  t.equal(apart.acknowledge(A).kind, 'met', 'who is owed nothing is another');
  const read = new ReadTally({ ...READ, nodeConfirms: 2 }, [F, C]);
  read.reply(F, 'object');
  t.equal(read.reply(C, 'object').kind, 'met', 'what was read was read twice');
  t.end();
});

t.test('read failures say the requirement that counts', (t) => {
  const r = new ReadTally(READ, [A, B, C]);
  r.reply(A, 'failed');
  t.same(r.reply(B, 'failed'), { kind: 'unsatisfied', quorum: 'r', needed: 2, got: 0 });

  const pr = new ReadTally({ ...READ, r: 1, pr: 2 }, [A, B, F]);
  pr.reply(F, 'object');
  t.same(pr.reply(A, 'failed'), { kind: 'unsatisfied', quorum: 'pr', needed: 2, got: 0 });

  const both = new ReadTally({ ...READ, r: 3, pr: 2 }, [A, B, C]);
  t.same(both.reply(A, 'failed'), { kind: 'unsatisfied', quorum: 'r', needed: 3, got: 0 });

  const nodes = new ReadTally({ ...READ, r: 1, nodeConfirms: 2 }, [A, B]);
  nodes.reply(A, 'object');
  t.same(nodes.reply(B, 'failed'), {
    kind: 'unsatisfied',
    quorum: 'node_confirms',
    needed: 2,
    got: 1,
  });

  const overload = new ReadTally(READ, [A, B, C]);
  overload.reply(A, 'overloaded');
  t.same(overload.reply(B, 'failed'), { kind: 'overload' });

  const late = new ReadTally(READ, [A, B, C]);
  late.reply(A, 'timed-out');
  t.same(late.reply(B, 'failed'), { kind: 'timeout' });

  const mixed = new ReadTally({ ...READ, notFoundOk: false }, [A, B, C]);
  mixed.reply(A, 'tombstone');
  mixed.reply(B, 'absent');
  t.same(mixed.reply(C, 'absent'), { kind: 'not-found' });

  const doubt = new ReadTally({ ...READ, notFoundOk: false }, [A, B, C]);
  doubt.reply(A, 'failed');
  t.same(doubt.reply(B, 'absent'), { kind: 'unsatisfied', quorum: 'r', needed: 2, got: 0 });
  t.end();
});

t.test('write failures follow Riak precedence', (t) => {
  const dw = new WriteTally(WRITE, [A, B, C]);
  dw.acknowledge(A);
  dw.fail(B, 'failed');
  t.same(dw.fail(C, 'failed'), { kind: 'unsatisfied', quorum: 'dw', needed: 2, got: 1 });

  const pw = new WriteTally({ ...WRITE, pw: 2 }, [A, B, F]);
  pw.acknowledge(A);
  pw.acknowledge(F);
  t.same(pw.fail(B, 'failed'), { kind: 'unsatisfied', quorum: 'pw', needed: 2, got: 1 });

  const lesser = new WriteTally({ ...WRITE, w: 3, dw: 3, pw: 2 }, [A, B, F]);
  t.same(lesser.fail(A, 'failed'), { kind: 'unsatisfied', quorum: 'dw', needed: 3, got: 0 });

  const w = new WriteTally({ ...WRITE, w: 3, dw: 1 }, [A, B, C]);
  w.acknowledge(A);
  t.same(w.fail(B, 'failed'), { kind: 'unsatisfied', quorum: 'w', needed: 3, got: 1 });

  const nodes = new WriteTally({ ...WRITE, nodeConfirms: 3 }, [A, B, C]);
  nodes.acknowledge(A);
  nodes.acknowledge(B);
  t.same(nodes.fail(C, 'failed'), {
    kind: 'unsatisfied',
    quorum: 'node_confirms',
    needed: 3,
    got: 2,
  });

  const overload = new WriteTally({ ...WRITE, w: 3, dw: 3 }, [A, B, C]);
  t.same(overload.fail(B, 'overloaded'), { kind: 'overload' });
  const late = new WriteTally({ ...WRITE, w: 3, dw: 3 }, [A, B, C]);
  t.same(late.fail(B, 'timed-out'), { kind: 'timeout' });
  t.end();
});

t.test('a stand-in keeps the sloppy quorum open and closes the strict one', (t) => {
  const sloppy = new WriteTally({ ...WRITE, w: 3, dw: 3 }, [A, B, C]);
  t.equal(sloppy.replace(C, F).kind, 'pending');
  sloppy.acknowledge(A);
  sloppy.acknowledge(B);
  t.equal(sloppy.acknowledge(F).kind, 'met');
  const strict = new WriteTally({ ...WRITE, pw: 3 }, [A, B, C]);
  t.same(strict.replace(C, F), { kind: 'unsatisfied', quorum: 'pw', needed: 3, got: 0 });
  // Even r = 0 takes one reply to answer with.
  const least = new ReadTally({ ...READ, r: 0 }, [A, B, C]);
  least.reply(A, 'failed');
  t.notOk(least.needs(B));
  least.reply(B, 'failed');
  t.ok(least.needs(C));
  t.end();
});
