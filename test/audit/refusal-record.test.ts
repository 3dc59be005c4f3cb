/** What of the refusals of clients is recorded, and how much. */

import t from 'tap';
import type { AuditEvent } from '../../src/audit/audit-line.ts';
import { RefusalRecord } from '../../src/audit/refusal-record.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Gatekeeper } from '../../src/security/gatekeeper.ts';
import { ReportingGatekeeper } from '../../src/security/refusals.ts';
import { VirtualTime } from '../node/virtual-time.ts';

function world() {
  const time = new VirtualTime();
  const events: AuditEvent[] = [];
  const clock = {
    wallMicros: () => 0,
    monotonicMs: () => time.nowMs,
    after: (delayMs: number, run: () => void) => time.after(delayMs, run),
  };
  const record = new RefusalRecord(clock, { append: async (event) => void events.push(event) });
  return { time, events, record };
}

const ANN = { user: 'ann', address: '10.0.0.1' };

t.test(
  'each login and each permission that is refused is recorded, and nothing else',
  async (t) => {
    const { events, record } = world();
    const inner: Gatekeeper = {
      isEnabled: () => true,
      authenticate: async ({ password }) => password === 'right',
      denial: (_client, permission) => (permission === 'riak_kv.get' ? undefined : 'denied'),
    };
    const gatekeeper = new ReportingGatekeeper(inner, (refusal) => record.note(refusal));
    const target = { type: 'records' as ByteString, bucket: 'patients' as ByteString };
    t.equal(await gatekeeper.authenticate({ ...ANN, password: 'right' }), true);
    t.equal(await gatekeeper.authenticate({ ...ANN, password: 'wrong' }), false);
    t.equal(gatekeeper.denial(ANN, 'riak_kv.get', target), undefined);
    t.equal(gatekeeper.denial(ANN, 'riak_kv.put', target), 'denied');
    t.ok(gatekeeper.isEnabled());
    t.same(events, [
      { event: 'login-refused', ...ANN },
      { event: 'permission-refused', ...ANN, permission: 'riak_kv.put', on: 'records/patients' },
    ]);
  },
);

t.test(
  'of a flood the first of each minute are recorded, and the number of the rest',
  async (t) => {
    const { time, events, record } = world();
    for (let i = 0; i < 5_000; i += 1) record.note({ kind: 'login', ...ANN });
    t.equal(events.length, 20);
    await time.advance(60_000);
    t.same(events.slice(20), [{ event: 'refusals-omitted', count: 4_980 }]);
    for (let i = 0; i < 25; i += 1)
      record.note({ kind: 'login', ...ANN, user: 'x'.repeat(10_000) });
    record.close();
    t.equal(events.length, 42);
    t.same(events.at(-1), { event: 'refusals-omitted', count: 5 });
    t.ok(JSON.stringify(events[30]).length < 400, 'a name is cut');
    await time.advance(120_000);
    record.note({ kind: 'login', ...ANN });
    t.equal(events.length, 43);
  },
);
