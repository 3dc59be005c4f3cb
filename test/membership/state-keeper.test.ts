/** The state keeper at its edges: what it reads at a start, and what it does when saving fails. */

import t from 'tap';
import { Fault, isFault } from '../../src/base/fault.ts';
import type { Clock, Host } from '../../src/base/host.ts';
import type { Epoch } from '../../src/base/names.ts';
import { runAtOnce, runInSlices } from '../../src/base/sliced.ts';
import { encodeRequest } from '../../src/membership/agreement-codec.ts';
import type { AgreementLog, AgreementPeers } from '../../src/membership/agreement-ports.ts';
import type { ClusterState } from '../../src/membership/cluster-state.ts';
import { successorOf } from '../../src/membership/lineage.ts';
import { commitPlan, planChanges } from '../../src/membership/plan.ts';
import { Proposer } from '../../src/membership/proposer.ts';
import { stageLocation } from '../../src/membership/staging.ts';
import { decodeState, encodeState, hashState } from '../../src/membership/state-document.ts';
import { StateKeeper } from '../../src/membership/state-keeper.ts';
import { nodeOf, stateOf } from './states.ts';

const ALONE = stateOf(1, 8);
const NEXT = successorOf(ALONE, { defaultProperties: { n_val: 1 } });

/** A host whose timers never fire: nothing here waits for time. */
function stillHost(): Host {
  return {
    clock: { wallMicros: () => 0, monotonicMs: () => 0, after: () => () => {} },
    random: { bytes: (size) => Buffer.alloc(size), integer: () => 0 },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    metrics: { count() {}, gauge() {}, observe() {} },
  };
}

const nobody: AgreementPeers = {
  agree: () => Promise.reject(new Fault('peer-unreachable', 'nobody is there')),
  fetchState: () => Promise.reject(new Fault('peer-unreachable', 'nobody is there')),
};

class OneFile implements AgreementLog {
  saved: Buffer | undefined;
  isFenced = false;

  load(): Promise<Buffer | undefined> {
    return Promise.resolve(this.saved);
  }

  save(record: Buffer): Promise<void> {
    if (this.isFenced) return Promise.reject(new Fault('store-fenced', 'the disk is gone'));
    this.saved = record;
    return Promise.resolve();
  }
}

function open(log: AgreementLog, initialState: ClusterState, peers = nobody) {
  return StateKeeper.open(stillHost(), { log, peers }, { id: nodeOf(0), initialState });
}

/** A keeper that is alone, and so free to vote. */
async function openAlone(log: AgreementLog): Promise<StateKeeper> {
  const keeper = await open(log, ALONE);
  while (keeper.vote() !== 'free') await Promise.resolve();
  return keeper;
}

t.test('the stored state wins over the configured one', async (t) => {
  const log = new OneFile();
  const keeper = await openAlone(log);
  const ballot = await keeper.beginBallot(undefined);
  await keeper.answer({ kind: 'accept', ballot, state: NEXT });
  await keeper.learn(NEXT);
  await keeper.close();
  const again = await open(log, ALONE);
  t.ok(hashState(again.state()).equals(hashState(NEXT)));
  t.equal(again.vote(), 'free');
  await again.close();
});

t.test('a restored log keeps its state, but its promises count for nothing', async (t) => {
  const log = new OneFile();
  const keeper = await openAlone(log);
  await keeper.learn(NEXT);
  await keeper.close();
  const restored = await StateKeeper.open(
    stillHost(),
    { log, peers: nobody },
    { id: nodeOf(0), initialState: ALONE, mayHaveForgotten: true },
  );
  t.equal(restored.vote(), 'unsure');
  t.ok(hashState(restored.state()).equals(hashState(NEXT)));
  await restored.close();
});

t.test('epoch and vote can be watched from the start on', async (t) => {
  const log = new OneFile();
  await (await openAlone(log)).close();
  for (const [mayHaveForgotten, votes] of [
    [false, 1],
    [true, 0],
  ] as const) {
    const shown: [string, number][] = [];
    const metrics = {
      ...stillHost().metrics,
      gauge: (name: string, value: number) => void shown.push([name, value]),
    };
    const keeper = await StateKeeper.open(
      { ...stillHost(), metrics },
      { log, peers: nobody },
      { id: nodeOf(0), initialState: ALONE, mayHaveForgotten },
    );
    t.same(shown.slice(0, 2), [
      ['membership.epoch', 1],
      ['membership.votes', votes],
    ]);
    await keeper.close();
  }
});

t.test('another cluster’s store and a damaged record stop the start', async (t) => {
  const log = new OneFile();
  await (await open(log, ALONE)).close();
  await t.rejects(open(log, { ...ALONE, clusterName: 'other' }), { code: 'config' });
  log.saved = log.saved?.subarray(0, -1);
  await t.rejects(open(log, ALONE), { code: 'store-corrupt' });
});

t.test('a reply whose record could not be saved is not given', async (t) => {
  const log = new OneFile();
  const keeper = await openAlone(log);
  log.isFenced = true;
  const ballot = { round: 1, node: nodeOf(0), life: 0 };
  const message = encodeRequest({
    kind: 'prepare',
    epoch: 2 as Epoch,
    parent: hashState(ALONE),
    ballot,
  });
  await t.rejects(keeper.handle(message), { code: 'store-fenced' });
  await t.rejects(keeper.learn(NEXT), { code: 'store-fenced' });
  t.equal(keeper.state().epoch, 1, 'nor is the state acted upon');
  const proposer = new Proposer(stillHost(), keeper);
  const change = () => ({ kind: 'changed' as const, state: NEXT });
  await t.rejects(proposer.propose<never>(change, 1_000), { code: 'store-fenced' });
  await keeper.close();
});

t.test('a vote that cannot be saved is tried again after a pause, not at once', async (t) => {
  const log = new OneFile();
  const seen = { saves: 0, pauses: 0 };
  const failing: AgreementLog = {
    load: () => log.load(),
    save: (record) => {
      seen.saves += 1;
      if (seen.saves === 1) return log.save(record);
      // Or a keeper that tries for ever would let nothing else come to its turn.
      if (seen.saves > 10) return new Promise(() => {});
      return Promise.reject(new Fault('store-fenced', 'the disk is gone'));
    },
  };
  const clock = {
    ...stillHost().clock,
    after: () => {
      seen.pauses += 1;
      return () => {};
    },
  };
  const keeper = await StateKeeper.open(
    { ...stillHost(), clock },
    { log: failing, peers: nobody },
    { id: nodeOf(0), initialState: ALONE },
  );
  await new Promise((resolve) => setImmediate(resolve));
  t.same(seen, { saves: 2, pauses: 1 });
  await keeper.close();
});

t.test('the state is shown to those who have less', async (t) => {
  const keeper = await openAlone(new OneFile());
  t.equal(keeper.documentAbove(1 as Epoch), undefined);
  await keeper.learn(NEXT);
  const document = keeper.documentAbove(1 as Epoch) as Buffer;
  t.ok(hashState(decodeState(document)).equals(hashState(NEXT)));
  await keeper.close();
});

t.test('messages that cannot be read, or are too many, are turned away', async (t) => {
  const keeper = await openAlone(new OneFile());
  await t.rejects(keeper.handle(Buffer.from('hello')), { code: 'malformed' });
  const survey = encodeRequest({ kind: 'survey' });
  const outcomes = await Promise.allSettled(
    Array.from({ length: 200 }, () => keeper.handle(survey)),
  );
  const refused = outcomes.filter((each) => each.status === 'rejected');
  t.equal(outcomes.length - refused.length, 64);
  t.ok(refused.every(({ reason }) => isFault(reason, 'overload')));
  await t.resolves(keeper.handle(survey), 'and afterwards it is open again');
  await keeper.close();
  await keeper.close();
  await t.rejects(keeper.handle(survey), { code: 'closed' });
});

t.test('a peer that sends an unreadable state changes nothing', async (t) => {
  const peers: AgreementPeers = {
    ...nobody,
    fetchState: () => Promise.resolve(Buffer.from('{"format":1}')),
  };
  const keeper = await open(new OneFile(), stateOf(2, 8), peers);
  t.equal(keeper.unreadable, undefined);
  await keeper.fetchFrom(nodeOf(1));
  t.equal(keeper.state().epoch, 1);
  t.match(keeper.unreadable, /its format is unknown/);
  await keeper.close();
});

t.test(
  'a state of a later release is told to the operator once, until a newer one is read',
  async (t) => {
    const newest = encodeState(NEXT).toString();
    const documents = [
      newest.replace('"format":2', '"format":3'),
      newest.replace('"format":2', '"format":3'),
      newest.replace('"step":null', '"step":null,"zones":[]'),
      newest,
    ];
    const errors: unknown[] = [];
    const host = stillHost();
    const keeper = await StateKeeper.open(
      { ...host, log: { ...host.log, error: (_event, fields) => errors.push(fields) } },
      {
        log: new OneFile(),
        peers: { ...nobody, fetchState: async () => Buffer.from(documents.shift() ?? '') },
      },
      { id: nodeOf(0), initialState: ALONE },
    );
    await keeper.fetchFrom(nodeOf(1));
    await keeper.fetchFrom(nodeOf(1));
    t.match(
      keeper.unreadable,
      /acted on here: .* is of format 3, and this release reads format 2$/,
    );
    await keeper.fetchFrom(nodeOf(1));
    t.match(keeper.unreadable, /or has fields of a later release$/);
    t.equal(errors.length, 2);
    await keeper.fetchFrom(nodeOf(1));
    t.equal(keeper.unreadable, undefined);
    t.equal(keeper.state().epoch, NEXT.epoch);
    await keeper.close();
  },
);

t.test('a change that refuses ends the proposal and costs no ballot', async (t) => {
  const keeper = await openAlone(new OneFile());
  const proposer = new Proposer(stillHost(), keeper);
  t.same(await proposer.propose(() => ({ kind: 'exists' }) as const, 1_000), { kind: 'exists' });
  t.same(await proposer.propose(() => ({ kind: 'exists' }) as const, 0), {
    kind: 'timeout',
    mayTakeEffect: false,
  });
  t.equal(keeper.state().epoch, 1);
  await keeper.close();
});

t.test(
  'a change that is overtaken while it is made is made again on the newer state',
  async (t) => {
    const keeper = await openAlone(new OneFile());
    const seen: number[] = [];
    const change = async (state: ClusterState) => {
      seen.push(state.epoch);
      if (seen.length === 1) await keeper.learn(NEXT);
      return { kind: 'refused', epoch: state.epoch } as const;
    };
    const outcome = await new Proposer(stillHost(), keeper).propose(change, 1_000);
    t.same(outcome, { kind: 'refused', epoch: 2 });
    t.same(seen, [1, 2]);
    await keeper.close();
  },
);

t.test('a plan that is overtaken by a change while it is made is stale', async (t) => {
  const keeper = await openAlone(new OneFile());
  const stage = async (location: string): Promise<void> => {
    const staged = stageLocation(keeper.state(), { node: nodeOf(0), location });
    if (staged.kind !== 'changed') throw new Error(staged.kind);
    await keeper.learn(staged.state);
  };
  await stage('a');
  const outcome = runAtOnce(planChanges(keeper.state()));
  if (outcome.kind !== 'planned') throw new Error(outcome.reason);
  let pauses = 0;
  const clock: Clock = {
    ...stillHost().clock,
    after: (_, resume) => {
      pauses += 1;
      if (pauses === 1) void stage('b').then(resume);
      else queueMicrotask(resume);
      return () => {};
    },
  };
  const commit = (hash: string) => (state: ClusterState) =>
    runInSlices(commitPlan(state, hash), clock);
  const proposer = new Proposer(stillHost(), keeper);
  t.same(await proposer.propose(commit(outcome.plan.hash), 1_000), {
    kind: 'not-planned',
    reason: 'stale-plan',
  });
  t.ok(pauses > 1);
  t.equal(keeper.state().step, undefined);
  t.equal(keeper.state().epoch, 3);
  await keeper.close();
});

t.test('more proposals than can wait are turned away', async (t) => {
  const keeper = await openAlone(new OneFile());
  const proposer = new Proposer(stillHost(), keeper);
  const change = (state: ClusterState) => ({
    kind: 'changed' as const,
    state: successorOf(state, {}),
  });
  const outcomes = await Promise.allSettled(
    Array.from({ length: 70 }, () => proposer.propose<never>(change, 1_000)),
  );
  t.equal(outcomes.filter(({ status }) => status === 'rejected').length, 6);
  t.equal(keeper.state().epoch, 65);
  await keeper.close();
});

t.test('nothing is voted on that could not be read again', async (t) => {
  const log = new OneFile();
  const keeper = await openAlone(log);
  const long = 'x'.repeat(2_000);
  const relocate = (state: ClusterState) => {
    const members = state.members.map((member) => ({ ...member, location: long }));
    return { kind: 'changed', state: successorOf(state, { members }) } as const;
  };
  await t.rejects(new Proposer(stillHost(), keeper).propose(relocate, 100), { code: 'malformed' });
  t.equal(keeper.state().epoch, 1);
  await keeper.close();
  const again = await open(log, ALONE);
  t.equal(again.state().epoch, 1, 'the node starts again');
  await again.close();
});
