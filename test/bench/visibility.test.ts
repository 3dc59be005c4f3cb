/**
 * From an acknowledged write until another node shows it: what counts as seen, and what is measured of it.
 */

import { once } from 'node:events';
import { createServer } from 'node:http';
import t from 'tap';
import { Fault } from '../../src/base/fault.ts';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { Ledger } from '../../bench/load/ledger.ts';
import { LoadProcess } from '../../bench/load/load-process.ts';
import { Operations, clientRandom } from '../../bench/load/operations.ts';
import { ProcessKeys } from '../../bench/load/process-keys.ts';
import { Recorder, samplesOf } from '../../bench/load/recorder.ts';
import { seriesOf } from '../../bench/load/series.ts';
import { readStamp, stampNumber, writeStamp } from '../../bench/load/stamp.ts';
import { TrackedWrites } from '../../bench/load/tracked-writes.ts';
import { awaitSeen, lookForTerm, lookForValue } from '../../bench/load/visibility.ts';
import { httpDriver } from '../../bench/target/http-session.ts';
import { ValueSource } from '../../bench/workload/values.ts';
import { findWorkload } from '../../bench/workload/find-workload.ts';
import type { AddressInfo } from 'node:net';
import type { ByteString } from '../../src/base/bytes.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import type { LoadClock } from '../../bench/load/clock.ts';
import type {
  QueryRequest,
  ReadAnswer,
  Session,
  WriteContent,
} from '../../bench/target/session.ts';

const RUN = 7;
const name = utf8ToByteString;
const KEY: ObjectKey = { type: name('default'), bucket: name('b'), key: name('k') };
const NOBODY = { isSuperseded: false };

/** Every wait takes as long as it says, at once. */
class StepClock implements LoadClock {
  #nowMs = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  async wait(milliseconds: number): Promise<void> {
    this.#nowMs += milliseconds;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What two nodes have; the second shows a write only when it was asked for it so many times. */
class LateStore {
  readonly values = new Map<string, Buffer>();
  readonly terms = new Map<string, ByteString>();
  readonly asked: (number | undefined)[] = [];
  readonly #after: number;

  constructor(after: number) {
    this.#after = after;
  }

  session(node: number): Session {
    let asks = 0;
    const isShown = (): boolean => node === 0 || ++asks > this.#after;
    const nothing = (): Promise<never> => Promise.reject(new Fault('config', 'not asked for'));
    return {
      node,
      get: ({ key }: ObjectKey, r?: number): Promise<ReadAnswer> => {
        this.asked.push(r);
        const value = isShown() ? this.values.get(key) : undefined;
        return Promise.resolve({ values: value === undefined ? [] : [value], context: undefined });
      },
      put: ({ key }: ObjectKey, { value, indexes = [] }: WriteContent): Promise<'stored'> => {
        asks = 0;
        this.values.set(key, value);
        for (const { term } of indexes) this.terms.set(term, key);
        return Promise.resolve('stored');
      },
      query: ({ from }: QueryRequest): Promise<ByteString[]> => {
        const key = isShown() ? this.terms.get(from) : undefined;
        return Promise.resolve(key === undefined ? [] : [key]);
      },
      delete: nothing,
      queryApi: nothing,
      setProperties: nothing,
      keepsSiblings: () => Promise.resolve(false),
      close: () => undefined,
    };
  }
}

function stamped(sequence: number, run = RUN): Buffer {
  const value = Buffer.alloc(32);
  writeStamp(value, run, stampNumber(3, sequence));
  return value;
}

/** A node that answers one after the other of these, the last for ever. */
function answering(node: number, answers: readonly (Buffer[] | Fault)[]): Session {
  let next = 0;
  const session = new LateStore(0).session(node);
  return {
    ...session,
    get: () => {
      const answer = answers[Math.min(next++, answers.length - 1)] ?? [];
      if (answer instanceof Fault) return Promise.reject(answer);
      return Promise.resolve({ values: answer, context: undefined });
    },
  };
}

t.test('the write itself is seen, or one after it, and no older one', async (t) => {
  const look = lookForValue({ content: { value: stamped(5) }, key: KEY, run: RUN });
  const isSeen = (values: Buffer[]): Promise<boolean> => look(answering(1, [values]));
  t.equal(await isSeen([]), false);
  t.equal(await isSeen([stamped(4)]), false);
  t.equal(await isSeen([stamped(5, RUN + 1)]), false, 'of another run');
  t.equal(await isSeen([stamped(5)]), true);
  t.equal(await isSeen([stamped(6)]), true);
  t.equal(await isSeen([stamped(4), stamped(5)]), true, 'among siblings');
});

t.test('only another node counts, errors are no answers, and a time ends it', async (t) => {
  const look = lookForValue({ content: { value: stamped(5) }, key: KEY, run: RUN });
  const watch = (watcher: Session, key = NOBODY) =>
    awaitSeen(look, { clock: new StepClock(), watcher, writtenAt: 0, endMs: 100, key });
  const shown = [stamped(5)];
  t.equal(await watch(answering(1, [[], [], shown])), 'seen');
  t.equal(await watch(answering(0, [shown])), 'late', 'it is the node that has written it');
  t.equal(await watch(answering(1, [[]])), 'late');
  const fault = new Fault('timeout', 'no answer in time');
  t.equal(await watch(answering(1, [fault, [], fault, shown])), 'seen');
  await t.rejects(watch(answering(1, [[], fault])), { code: 'timeout' });
  t.equal(await watch(answering(1, [[]]), { isSuperseded: true }), 'superseded');
  t.equal(await watch(answering(1, [shown]), { isSuperseded: true }), 'seen');
});

t.test('another write to a watched key is noticed, before and after', async (t) => {
  const writes = new TrackedWrites(new Ledger(() => false), { writer: 0, run: RUN });
  const session = new LateStore(0).session(0);
  const tracked = { number: 1, key: KEY };
  const content = () => ({ value: Buffer.alloc(32), basis: undefined });
  const watch = writes.watch(1);
  await writes.put(session, tracked, { ...content(), watch });
  await writes.put(session, { ...tracked, number: 2 }, content());
  t.equal(watch.isSuperseded, false, 'its own write, and one to another key');
  const other = writes.put(session, tracked, content());
  t.equal(watch.isSuperseded, true);
  t.equal(writes.watch(1).isSuperseded, true, 'one is under way');
  await other;
  writes.unwatch(1, watch);
  t.equal(writes.watch(1).isSuperseded, false);
});

function loaded(store: LateStore, within: string) {
  const workload = findWorkload('visible');
  const [spec] = workload.operations.filter(({ op }) => op === 'put_visible');
  const operations = [{ ...spec!, within }];
  const clock = new StepClock();
  const keys = new ProcessKeys(workload, { index: 0, count: 1 });
  const recorder = new Recorder(() => t.fail('there is room'), clock);
  const writes = new TrackedWrites(new Ledger(() => false), { writer: 0, run: RUN });
  const parts = { clock, keys, values: new ValueSource(1), writes, recorder, run: RUN };
  const client = {
    id: 0,
    session: store.session(0),
    watcher: () => store.session(1),
    random: clientRandom(1, 0),
  };
  const names = seriesOf(operations).map((series) => series.name);
  const run = () =>
    new Operations({ ...workload, operations }, parts).runOne(client, clock.nowMs());
  return { run, recorder, names };
}

t.test('the write, its value and its index are each a series of the operation', async (t) => {
  const store = new LateStore(30);
  const { run, recorder, names } = loaded(store, '1s');
  t.same(names, ['write', 'write.put', 'write.visible', 'write.indexed']);
  t.equal(await run(), 'done');
  const samples = [...samplesOf(recorder.takeBatch())];
  const told = new Map(samples.map((one) => [names[one.series], one]));
  t.same(new Set(told.keys()), new Set(names));
  t.ok(samples.every(({ outcome }) => outcome === 'ok'));
  t.equal(told.get('write.put')?.serviceMicros, 0);
  for (const part of ['write.visible', 'write.indexed', 'write']) {
    t.ok((told.get(part)?.serviceMicros ?? 0) >= 30_000, `${part} was waited for`);
  }
  t.same(new Set(store.asked), new Set([1]), 'one replica is enough');
  const [value] = store.values.values();
  t.ok(readStamp(value as Buffer, RUN) !== undefined, 'the verifier follows it');
});

t.test('what is not shown in time is an error of the operation', async (t) => {
  const { run, recorder, names } = loaded(new LateStore(Infinity), '50ms');
  t.equal(await run(), 'failed');
  const batch = recorder.takeBatch();
  const failed = [...samplesOf(batch)].filter(({ outcome }) => outcome === 'error');
  t.same(
    new Set(failed.map(({ series }) => names[series])),
    new Set(['write', 'write.indexed', 'write.visible']),
  );
  t.same(batch.errors, [[0, 'not visible within 50ms', 1]]);
});

t.test('a term is looked for with its key', async (t) => {
  const store = new LateStore(0);
  const [field, term] = [name('f_bin'), name('x')];
  const content = { value: stamped(5), indexes: [{ field, term }] };
  const look = lookForTerm({ content, key: KEY, run: RUN });
  t.equal(await look?.(store.session(1)), false);
  store.terms.set('x', name('another'));
  t.equal(await look?.(store.session(1)), false);
  store.terms.set('x', KEY.key);
  t.equal(await look?.(store.session(1)), true);
  t.equal(lookForTerm({ content: { value: stamped(5) }, key: KEY, run: RUN }), undefined);
});

t.test('a target of one node has no other to ask', async (t) => {
  const preparation = {
    kind: 'prepare',
    workload: findWorkload('visible'),
    target: { kind: 'null' },
    credentials: undefined,
    share: { index: 0, count: 1 },
    seed: 1,
    run: RUN,
    timeoutMs: 1_000,
    verifyKeysMax: 0,
    isLoaded: false,
    keepsSiblings: undefined,
  } as const;
  const message = /^write asks another node .*: the target has only one$/;
  await t.rejects(
    LoadProcess.prepare(preparation, () => undefined),
    { code: 'config', message },
  );
});

t.test('over HTTP a read says how many replicas are enough', async (t) => {
  const paths: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url);
    response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const session = httpDriver([{ host: '127.0.0.1', port }], {
    timeoutMs: 5_000,
    login: undefined,
  }).open(0);
  await session.get(KEY, 1);
  await session.get(KEY);
  session.close();
  server.close();
  t.same(paths, ['/buckets/b/keys/k?r=1', '/buckets/b/keys/k']);
});
