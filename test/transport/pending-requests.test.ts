/** Deadlines, in virtual time: each request ends at its own, and all of them share one timer. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import t from 'tap';
import { Fault, isFault } from '../../src/base/fault.ts';
import { PendingRequests } from '../../src/transport/pending-requests.ts';
import { pong, ping } from '../peer/peer-compliance.ts';
import { VirtualHost } from '../replica/virtual-host.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const WINDOW = { requests: 1_000, sizeBytes: 1_000_000 };

function fresh() {
  const host = new VirtualHost();
  return { host, pending: new PendingRequests(host.clock, host.metrics, WINDOW) };
}

t.test('a request ends at its deadline or up to 10 ms after it, never before', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(500), { maxLength: 50 }), async (timeouts) => {
      const { host, pending } = fresh();
      const late = timeouts.map(async (timeoutMs) => {
        const { reply } = pending.add([], 10, timeoutMs);
        const code = await reply.catch((error: unknown) => isFault(error) && error.code);
        return code === 'timeout' ? host.clock.monotonicMs() - timeoutMs : -1;
      });
      if (host.timerCount > 1) return false;
      await host.advance(1_000);
      const lateness = await Promise.all(late);
      return pending.count === 0 && pending.sizeBytes === 0 && lateness.every(isShort);
    }),
  );
  t.end();
});

function addLarge(pending: PendingRequests) {
  const record = Buffer.alloc(1_000_000);
  return { request: pending.add([record], record.length, 50), record: new WeakRef(record) };
}

function isShort(lateMs: number): boolean {
  return lateMs >= 0 && lateMs <= 10;
}

t.test('an answered request needs no timer, and one answer is all it gets', async (t) => {
  const { host, pending } = fresh();
  const { id, reply } = pending.add([], 10, 100);
  pending.take(id)?.resolve(pong(ping(1)));
  t.equal(pending.take(id), undefined);
  t.same(await reply, pong(ping(1)));
  await host.advance(1_000);
  t.equal(host.timerCount, 0);
  t.equal(host.counters.get('peer_requests_timed_out'), undefined);
});

t.test(
  'a request that was given up holds nothing of its message, however long it waits to leave',
  async (t) => {
    const { host, pending } = fresh();
    const { request, record } = addLarge(pending);
    const given = request.reply.catch((error: unknown) => isFault(error, 'timeout'));
    await host.advance(100);
    t.equal(await given, true);
    await nextTurn();
    collectGarbage();
    t.equal(record.deref(), undefined);
    t.equal(request.toMessage(host.clock.monotonicMs()), undefined);
  },
);

t.test('an earlier deadline moves the timer forward', async (t) => {
  const { host, pending } = fresh();
  const first = pending.add([], 10, 60_000).reply.catch(() => host.clock.monotonicMs());
  const second = pending.add([], 10, 50).reply.catch(() => host.clock.monotonicMs());
  t.equal(host.timerCount, 1);
  await host.advance(50);
  t.equal(await second, 50);
  await host.advance(60_000);
  t.equal(await first, 60_000);
});

t.test('a message leaves with what is left of its time, and not at all without any', (t) => {
  const { pending } = fresh();
  const request = pending.add(['tuple'], 10, 100);
  request.reply.catch(() => {});
  t.same(request.toMessage(30.4), [request.id, 69, ['tuple']]);
  t.equal(request.toMessage(100), undefined);
  pending.rejectAll(new Fault('peer-closed', 'gone'));
  t.equal(request.toMessage(0), undefined, 'nobody waits for it');
  t.end();
});

t.test('all are rejected together when the link ends', async (t) => {
  const { host, pending } = fresh();
  const replies = [1, 2, 3].map((timeoutMs) => pending.add([], 10, timeoutMs * 1_000).reply);
  const gone = new Fault('peer-closed', 'gone');
  pending.rejectAll(gone);
  pending.rejectAll(gone);
  for (const reply of replies) await t.rejects(reply, { code: 'peer-closed' });
  t.equal(pending.count, 0);
  t.equal(host.timerCount, 0);
});

t.test('the window is counted in requests and in bytes', (t) => {
  const host = new VirtualHost();
  const window = { requests: 2, sizeBytes: 100 };
  const pending = new PendingRequests(host.clock, host.metrics, window);
  t.notOk(pending.isFull(1_000), 'one alone may be larger');
  const first = pending.add([], 60, 1_000);
  t.notOk(pending.isFull(40));
  t.ok(pending.isFull(41));
  pending.add([], 40, 1_000);
  t.ok(pending.isFull(0));
  pending.take(first.id);
  t.notOk(pending.isFull(60));
  t.end();
});
