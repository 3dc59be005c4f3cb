/** Scripts go on when a node serves, and hear why it does not. */

import t from 'tap';
import { AdminRefusal } from '../../src/admin/admin-server.ts';
import { waitFor, type AskForWait } from '../../src/cli/admin-wait-command.ts';

type Said = Readonly<Record<string, object>>;

const SETTLED: Said = {
  status: { isReady: true, reason: 'serving' },
  ringready: { isReady: true },
  transfers: { isFilled: true },
  hints: { total: 0 },
};

/** A node that says one thing after the other, one at each look; then the last for ever. */
function saying(...looks: readonly (Said | undefined)[]) {
  let look = -1;
  const ask: AskForWait = async (command) => {
    if (command === 'status') look += 1;
    const said = looks[Math.min(look, looks.length - 1)];
    if (said === undefined) throw new AdminRefusal('the node is not running');
    return said[command] as never;
  };
  return { ask, looks: () => look + 1 };
}

const PATIENT = { isSettled: false, timeoutMs: 60_000 };

t.test('it looks until the node answers and serves', async (t) => {
  const starting = { status: { isReady: false, reason: 'no other member has answered' } };
  const node = saying(undefined, starting, SETTLED);
  t.equal(await waitFor(node.ask, PATIENT), undefined);
  t.equal(node.looks(), 3);
});

t.test('settled means that nothing is on its way', async (t) => {
  const settling: readonly Said[] = [
    { ...SETTLED, ringready: { isReady: false } },
    { ...SETTLED, transfers: { isFilled: true, step: {} } },
    { ...SETTLED, transfers: { isFilled: false } },
    { ...SETTLED, hints: { total: 3 } },
  ];
  t.equal(await waitFor(saying(...settling).ask, PATIENT), undefined);
  const node = saying(...settling, SETTLED);
  t.equal(await waitFor(node.ask, { ...PATIENT, isSettled: true }), undefined);
  t.equal(node.looks(), 5);
  const reasons = await Promise.all(
    settling.map((said) => waitFor(saying(said).ask, { isSettled: true, timeoutMs: 0 })),
  );
  for (const [index, why] of [/ringready/, /transfers/, /transfers/, /3 hints/].entries()) {
    t.match(reasons[index], why);
  }
});

t.test('when the time is up the last reason is told', async (t) => {
  const once = { ...PATIENT, timeoutMs: 0 };
  t.match(await waitFor(saying(undefined).ask, once), 'the node is not running');
  const stuck = { status: { isReady: false, reason: 'its disk is fenced' } };
  t.match(await waitFor(saying(stuck).ask, once), 'its disk is fenced');
});

t.test('a bug is no reason to wait', async (t) => {
  const ask: AskForWait = () => Promise.reject(new TypeError('no such thing'));
  await t.rejects(waitFor(ask, PATIENT), TypeError);
});

t.test('a node that hangs is not asked for longer than there is time', async (t) => {
  const waits: number[] = [];
  const hanging: AskForWait = (_, timeoutMs) => {
    waits.push(timeoutMs);
    return Promise.reject(new AdminRefusal('no answer'));
  };
  t.equal(await waitFor(hanging, { isSettled: false, timeoutMs: 0 }), 'no answer');
  t.same(waits, [1_000], 'a node that is well has the time to say so');
  const patient: AskForWait = async (command, timeoutMs) => {
    waits.push(timeoutMs);
    return SETTLED[command] as never;
  };
  await waitFor(patient, PATIENT);
  t.ok((waits[1] ?? 0) > 1_000 && (waits[1] ?? 0) <= 60_000);
});
