/**
 * Both protocols and a model of Riak's rules, asked the same: any sequence of writes, deletes and
 * conditions, through any node and either door, leaves what the model says, seen through both doors.
 *
 * Three real nodes with real sockets; tombstones are kept, so that nothing depends on the time.
 */

import { deepEqual, equal } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { HttpDoor, PbcDoor, TOMBSTONE, canonical } from './doors.ts';
import { BareClient } from './pbc/served.ts';
import { KeyModel } from './riak-model.ts';
import { serveCluster } from './served-cluster.ts';
import type { Condition, Door } from './doors.ts';
import type { Keeping, Seen, Written } from './riak-model.ts';

const KEEPING_BY_TYPE: Readonly<Record<string, Keeping>> = {
  siblings: 'dotted',
  nodvv: 'undotted',
  nosibs: 'one',
  lww: 'one',
};
const KEYS = ['k', 'l'] as const;
const WORDS = ['ann', 'bob', 'cyd'] as const;

interface Step {
  /** Of the two worlds' doors: one takes this, the other its opposite. */
  readonly isHttp: boolean;
  readonly node: number;
  readonly key: (typeof KEYS)[number];
  readonly action: 'put' | 'delete' | Exclude<Condition, 'none'>;
  /** How many contexts ago; none: the client has seen nothing. */
  readonly contextAge: number | undefined;
  readonly words: readonly string[];
  readonly number: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  isHttp: fc.boolean(),
  node: fc.nat(2),
  key: fc.constantFrom(...KEYS),
  action: fc.constantFrom('put', 'put', 'put', 'delete', 'create-only', 'not-modified'),
  contextAge: fc.option(fc.nat(2), { nil: undefined }),
  words: fc.subarray([...WORDS], { minLength: 1 }),
  number: fc.integer({ min: -20, max: 20 }),
});

const cluster = await serveCluster({ reaper: { deleteMode: 'keep' } });
const clients = await Promise.all(cluster.pbcPorts.map((port) => BareClient.connect(port)));
t.teardown(async () => {
  for (const client of clients) client.socket.destroy();
  await cluster.close();
});

interface KnownContext {
  readonly text: string;
  readonly seen: Seen;
}

/** One bucket, told what to do and what must come of it. */
class World {
  readonly #doors: { readonly http: readonly Door[]; readonly pbc: readonly Door[] };
  readonly #models: Readonly<Record<string, KeyModel>>;
  readonly #contexts: Record<string, KnownContext[]> = { k: [], l: [] };
  #writeCount = 0;

  constructor(type: string, bucket: string) {
    const place = { type, bucket };
    this.#doors = {
      http: cluster.ports.map((port) => new HttpDoor(port, place)),
      pbc: clients.map((client) => new PbcDoor(client, place)),
    };
    const keeping = KEEPING_BY_TYPE[type] ?? 'one';
    this.#models = Object.fromEntries(KEYS.map((key) => [key, new KeyModel(keeping)]));
  }

  async take({ isHttp, node, key, action, contextAge, words, number }: Step): Promise<void> {
    const door = this.#doors[isHttp ? 'http' : 'pbc'][node] as Door;
    const model = this.#models[key] as KeyModel;
    const known = contextAge === undefined ? undefined : this.#contexts[key]?.at(-1 - contextAge);
    this.#writeCount += 1;
    const write = this.#writeCount;
    if (action === 'delete') {
      // Without a context a delete reads first, and finds nothing to delete or covers what it finds.
      if (known !== undefined || model.isFound) {
        model.write(write, undefined, known?.seen ?? model.context);
      }
      await door.remove(key, known?.text);
    } else {
      const written: Written = { value: `v${write}`, tag: `t${write}`, words, number };
      const mayStore =
        action === 'put' ||
        (action === 'create-only' && !model.isFound) ||
        (action === 'not-modified' && model.isFound && known && model.isStill(known.seen));
      // The condition needs a context over HTTP.
      if (action === 'not-modified' && known === undefined) return;
      const condition = action === 'put' ? 'none' : action;
      const answer = await door.put(key, written, known?.text, condition);
      equal(answer, mayStore === true ? 'stored' : 'refused', action);
      if (mayStore === true) model.write(write, written, known?.seen);
    }
    await this.#look(key, node);
  }

  /** Both doors show what the model does. */
  async #look(key: string, node: number): Promise<void> {
    const model = this.#models[key] as KeyModel;
    const expected = model.shown
      .map(({ written }) => (written === undefined ? TOMBSTONE : canonical(written)))
      .sort();
    const doors = [this.#doors.http[(node + 1) % 3], this.#doors.pbc[(node + 2) % 3]];
    const [overHttp, overPbc] = await Promise.all(doors.map((door) => (door as Door).read(key)));
    deepEqual(overHttp?.siblings, expected);
    deepEqual(overPbc?.siblings, expected);
    equal(overHttp?.context, overPbc?.context);
    if (overHttp?.context !== undefined) {
      this.#contexts[key]?.push({ text: overHttp.context, seen: model.context });
    }
  }

  /** Keys and indexes, over both doors. */
  async lookAll(): Promise<void> {
    const models = Object.entries(this.#models);
    const keys = models.filter(([, { isListed }]) => isListed).map(([key]) => key);
    const entries = models.flatMap(([key, { shown }]) => {
      return shown.flatMap(({ written }) => (written === undefined ? [] : [{ key, written }]));
    });
    const words = entries.flatMap(({ key, written }) => written.words.map((w) => `${w} ${key}`));
    const numbers = entries
      .sort((a, b) => a.written.number - b.written.number || (a.key < b.key ? -1 : 1))
      .map(({ key, written }) => `${written.number} ${key}`);
    for (const door of [this.#doors.http[0], this.#doors.pbc[1]]) {
      if (door === undefined) continue;
      deepEqual([...(await door.keys())].sort(), keys);
      deepEqual(await door.index('word_bin', 'a', 'z'), [...new Set(words)].sort());
      deepEqual(await door.index('number_int', '-99', '99'), [...new Set(numbers)]);
    }
  }
}

let bucketCount = 0;

for (const type of Object.keys(KEEPING_BY_TYPE)) {
  t.test(`either protocol leaves what the model says, where the type is ${type}`, async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 10 }), async (steps) => {
        bucketCount += 1;
        const worlds = [new World(type, `b${bucketCount}`), new World(type, `c${bucketCount}`)];
        for (const next of steps) {
          await worlds[0]?.take(next);
          await worlds[1]?.take({ ...next, isHttp: !next.isHttp });
        }
        for (const world of worlds) await world.lookAll();
      }),
      { numRuns: 6 },
    );
    t.same(cluster.bugs, []);
  });
}
