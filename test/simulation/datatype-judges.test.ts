/** The judges of data types bite: on made-up histories, and on bugs planted in a running cluster. */

import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import type { PeerReply, PeerRequest } from '../../src/peer/messages.ts';
import type { SimulatedCluster } from './cluster.ts';
import { DatatypeHistory } from './datatype-history.ts';
import { judgeCount, judgeEstimate, judgeParts } from './datatype-judges.ts';
import { runUntraced } from '../untraced.ts';
import type { FaultKind } from './faults.ts';
import { simulate } from './simulation.ts';

const NAME = utf8ToByteString('k');

function newHistory(): DatatypeHistory {
  return new DatatypeHistory({ type: NAME, bucket: NAME, key: NAME }, 'set');
}

t.test('a count with an increment too few or too many is found', (t) => {
  const history = newHistory();
  for (const isAcked of [true, false, true]) {
    const begun = history.beginIncrement();
    if (begun !== undefined) begun.record.isAcked = isAcked;
  }
  t.same(judgeCount(history, 1n + 16n), []);
  t.same(judgeCount(history, 1n + 4n + 16n), []);
  t.same(judgeCount(history, 16n), ['increment 0 was acknowledged and is lost']);
  t.same(judgeCount(history, 2n + 16n), ['increment 0 was counted 2 times']);
  t.match(judgeCount(history, 1n + 16n + 64n), ['a count of 81 is not made of increments']);
  t.equal(judgeCount(history, -1n)[0], 'increment 0 was counted -1 times');
  t.end();
});

t.test('a part that is lost, back or made up is found', (t) => {
  const history = newHistory();
  const view = { context: new Map(), parts: new Set(['seen']), atMs: 5 };
  for (const part of ['kept', 'seen', 'unseen']) history.beginAddition(part, 1).isAcked = true;
  history.beginAddition('unsure', 1);
  for (const part of ['seen', 'unseen']) history.beginRemoval(part, view).isAcked = true;
  t.same(judgeParts(history, new Set(['kept', 'unseen'])), []);
  t.same(judgeParts(history, new Set(['kept', 'unseen', 'unsure'])), []);
  t.same(judgeParts(history, new Set(['kept'])), ['unseen is lost though nothing removed it']);
  t.same(judgeParts(history, new Set(['kept', 'seen', 'unseen'])), [
    'seen is back though it was seen and removed',
  ]);
  t.same(judgeParts(history, new Set(['kept', 'unseen', 'other'])), ['other was never added']);

  history.beginAddition('seen', 9).isAcked = true;
  t.same(judgeParts(history, new Set(['kept', 'unseen'])), [
    'seen is lost though nothing removed it',
  ]);
  t.end();
});

t.test('an estimate that is far off is found', (t) => {
  const history = newHistory();
  for (let index = 0; index < 20; index += 1) {
    history.beginAddition(`${index}`, 1).isAcked = index < 10;
  }
  t.same(
    [10, 15, 20].flatMap((count) => judgeEstimate(history, count)),
    [],
  );
  t.equal([7, 23].flatMap((count) => judgeEstimate(history, count)).length, 2);
  t.end();
});

const SEEDS_MAX = 10;

/** Whether a planted bug is found within a few seeds. */
async function isFound(
  tamper: (cluster: SimulatedCluster) => void,
  faults: readonly FaultKind[],
  finding: RegExp,
): Promise<boolean> {
  for (let seed = 1; seed <= SEEDS_MAX; seed += 1) {
    const { violations } = await simulate({
      seed,
      faults,
      tamper,
      faultIntervalMs: 500,
      healLimitMs: 20_000,
    });
    if (violations.some((violation) => finding.test(violation))) return true;
  }
  return false;
}

/** Merges of this type are confirmed and not made, so that a lost disk takes the only copy. */
function forgetful(type: string): (cluster: SimulatedCluster) => void {
  const forget = (request: PeerRequest): PeerReply | undefined => {
    if (request.verb === 'merge' && request.key.type === type) return { kind: 'done' };
    const isOfType = request.verb === 'deliver' && request.records[0]?.key.type === type;
    return isOfType ? { kind: 'delivered', refused: [] } : undefined;
  };
  return ({ network }) => {
    network.impostor = (_, request) => forget(request);
  };
}

for (const [datatype, finding] of [
  ['counter', /^counter: increment \d+ was acknowledged and is lost/],
  ['set', /^set: part-\d+ is lost/],
  ['map', /^map: (increment|field|tag|flag).* lost/],
] as const) {
  t.test(`a ${datatype} that forgets is found in a running cluster`, async (t) => {
    runUntraced(t);
    t.ok(await isFound(forgetful(`${datatype}s`), ['empty-disk'], finding));
  });
}

t.test('an update that is carried out twice is found in a running cluster', async (t) => {
  runUntraced(t);
  const tamper = ({ network }: SimulatedCluster): void => {
    network.repeatsUpdates = true;
  };
  t.ok(await isFound(tamper, [], /^(counter|map): increment \d+ was counted 2 times/));
});
