/**
 * Nothing acknowledged is lost while real processes are killed, paused and robbed of their data.
 *
 * Each write goes to a key of its own and counts once its reply came; in the end each of them must be
 * found through every node.
 */

import { cpSync, readdirSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { askNode } from '../../src/admin/admin-client.ts';
import { adminSocketPath } from '../../src/admin/admin-socket.ts';
import type { DevNode } from '../../src/cli/dev-cluster.ts';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import { VertebraClient } from '../../src/client/client.ts';
import type { GetResult } from '../../src/client/client-types.ts';
import { runCommand } from './command-line.ts';
import { startCluster } from './local-cluster.ts';

const DEADLINE_MS = 120_000;
/** Of a lane between two writes: each of them is looked for through every node in the end. */
const PAUSE_MS = 10;

const { cluster, nodes, close } = await startCluster(3);
const [first, second, third] = nodes as readonly [DevNode, DevNode, DevNode];
const through = new Map(nodes.map((node) => [node.name, clientOf(node)]));
const all = clientOf(...nodes);
t.teardown(async () => {
  for (const client of [all, ...through.values()]) client.close();
  await close();
});

/** Writes, each key once; `acknowledged` are those whose reply came. */
class Writer {
  readonly acknowledged: string[] = [];
  readonly failures: unknown[] = [];
  readonly #client: VertebraClient;
  readonly #ended: Promise<unknown>;
  #isStopped = false;

  /** `pauseMs`: of each of its four lanes between two writes. */
  constructor(client: VertebraClient, prefix: string, pauseMs: number) {
    this.#client = client;
    this.#ended = Promise.all(
      [0, 1, 2, 3].map((lane) => this.#write(`${prefix}-${lane}`, pauseMs)),
    );
  }

  /** Resolves when `count` more writes have been acknowledged. */
  async more(count: number): Promise<void> {
    const enough = this.acknowledged.length + count;
    await until(`${count} more writes`, () => this.acknowledged.length >= enough);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#ended;
  }

  async #write(prefix: string, pauseMs: number): Promise<void> {
    for (let serial = 0; !this.#isStopped; serial += 1) {
      const key = `${prefix}-${serial}`;
      try {
        await this.#client.put(named(key), contentOf(key), { w: 2 });
        this.acknowledged.push(key);
      } catch (error) {
        this.failures.push(error);
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

t.test('a rolling restart under load, as for an upgrade, loses nothing', async (t) => {
  const writer = new Writer(all, 'rolling', 40);
  for (const node of nodes) {
    await writer.more(20);
    t.equal(await cluster.mustChild(node.name).stop(DEADLINE_MS), 0, 'a clean stop');
    await writer.more(20);
    await cluster.launch(node).ready();
    await until('the others have caught up', isReadyForNext);
  }
  await writer.stop();
  t.ok(writer.failures.length <= 12, `${writer.failures.length} writes failed: those under way`);
  await allFound(t, writer.acknowledged);
});

/** What `docs/upgrade.md` has an operator wait for: the ring is ready everywhere, and nothing owed. */
async function isReadyForNext(): Promise<boolean> {
  const answers = await Promise.all(
    nodes.flatMap(({ dataFolder }) =>
      ['ringready', 'hints'].map((command) =>
        askNode(adminSocketPath(dataFolder), { command, arguments: {} }, DEADLINE_MS),
      ),
    ),
  );
  return (answers as { isReady?: boolean; total?: number }[]).every(
    ({ isReady = true, total = 0 }) => isReady && total === 0,
  );
}

t.test('a node is killed and comes back: every acknowledged write is found', async (t) => {
  const writer = new Writer(all, 'killed', PAUSE_MS);
  await writer.more(100);
  const victim = cluster.mustChild(second.name);
  victim.kill('SIGKILL');
  await victim.exited();
  await writer.more(200);
  await cluster.launch(second).ready();
  await writer.more(100);
  await writer.stop();
  t.ok(writer.failures.length <= 32, `${writer.failures.length} writes failed: those under way`);
  await allFound(t, writer.acknowledged);
});

t.test('a node that hangs does not hold up the others', async (t) => {
  const others = clientOf(first, second);
  const writer = new Writer(others, 'paused', PAUSE_MS);
  await writer.more(50);
  const paused = cluster.mustChild(third.name);
  paused.kill('SIGSTOP');
  await writer.more(200);
  const begunMs = performance.now();
  await others.get(named(writer.acknowledged[0] as string));
  t.ok(performance.now() - begunMs < 5_000, 'a read is answered');
  paused.kill('SIGCONT');
  await writer.more(50);
  await writer.stop();
  others.close();
  t.same(writer.failures, []);
  await allFound(t, writer.acknowledged);
});

t.test('a node that lost its data gets it back', async (t) => {
  const keys = Array.from({ length: 100 }, (_, index) => `robbed-${index}`);
  await Promise.all(keys.map((key) => all.put(named(key), contentOf(key), { w: 3 })));
  const robbed = cluster.mustChild(first.name);
  robbed.kill('SIGKILL');
  await robbed.exited();
  rmSync(join(first.dataFolder, 'store'), { recursive: true });
  await cluster.launch(first).ready();
  await hasAllItself(first, keys);
  await allFound(t, keys);
});

t.test('a node whose store was damaged is mended, and gets back what is missing', async (t) => {
  const keys = Array.from({ length: 100 }, (_, index) => `damaged-${index}`);
  await Promise.all(keys.map((key) => all.put(named(key), contentOf(key), { w: 3 })));
  const damaged = cluster.mustChild(second.name);
  damaged.kill('SIGKILL');
  await damaged.exited();
  const store = join(second.dataFolder, 'store');
  const files = readdirSync(store).filter((name) => /\.(ldb|log)$/.test(name));
  t.ok(files.length >= 2);
  for (const name of files) {
    const path = join(store, name);
    truncateSync(path, Math.floor(statSync(path).size / 2));
  }
  rmSync(join(store, 'CURRENT'));
  const mended = await runCommand('repair-store', second.dataFolder);
  t.match(mended, { code: 0, stdout: /can be opened again: \d+ objects/ });
  await cluster.launch(second).ready();
  await hasAllItself(second, keys);
  await allFound(t, keys);
});

t.test('an older copy of a disk, put back in secret, is found out and filled again', async (t) => {
  const keys = Array.from({ length: 100 }, (_, index) => `set-back-${index}`);
  const [before, since] = [keys.slice(0, 50), keys.slice(50)];
  await Promise.all(before.map((key) => all.put(named(key), contentOf(key), { w: 3 })));
  const store = join(third.dataFolder, 'store');
  const copy = join(third.dataFolder, 'copy');
  t.equal(await cluster.mustChild(third.name).stop(DEADLINE_MS), 0);
  cpSync(store, copy, { recursive: true });
  await cluster.launch(third).ready();
  await Promise.all(since.map((key) => all.put(named(key), contentOf(key), { w: 3 })));
  const followed = cluster.mustChild(third.name);
  followed.kill('SIGKILL');
  await followed.exited();
  rmSync(store, { recursive: true });
  renameSync(copy, store);
  t.equal(await cluster.launch(third).exited(), 1, 'it ends by itself');
  await cluster.launch(third).ready();
  await hasAllItself(third, keys);
  await allFound(t, keys);
});

/** Waits until the node finds every key without asking another. */
async function hasAllItself(node: DevNode, keys: readonly string[]): Promise<void> {
  const client = through.get(node.name) as VertebraClient;
  let missing = keys;
  await until('every key is found with r=1', async () => {
    const found = await Promise.all(
      missing.map((key) => client.get(named(key), { r: 1, notFoundOk: true })),
    );
    missing = missing.filter((_, index) => found[index]?.kind !== 'found');
    return missing.length === 0;
  });
}

async function allFound(t: Tap, keys: readonly string[]): Promise<void> {
  for (const [name, client] of through) {
    const lost: string[] = [];
    for (let from = 0; from < keys.length; from += 64) {
      const some = keys.slice(from, from + 64);
      const found = await Promise.all(some.map((key) => client.get(named(key))));
      lost.push(...some.filter((key, at) => textOf(found[at]) !== key));
    }
    t.same(lost, [], `${name} has all of ${keys.length}`);
  }
}

function named(key: string): ObjectKey {
  return {
    type: utf8ToByteString('default'),
    bucket: utf8ToByteString('patients'),
    key: utf8ToByteString(key),
  };
}

/** The value of a key is its name. */
function contentOf(key: string): { readonly value: Buffer } {
  return { value: Buffer.from(key) };
}

function textOf(result: GetResult | undefined): string | undefined {
  return result?.kind === 'found' ? result.siblings[0]?.value.toString() : undefined;
}

type Tap = Pick<typeof t, 'same'>;

function clientOf(...some: readonly DevNode[]): VertebraClient {
  return new VertebraClient({ nodes: some.map(({ host, pbcPort }) => ({ host, port: pbcPort })) });
}

async function until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + DEADLINE_MS;
  while (!(await isTrue())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
