/**
 * Two clusters, of three nodes and of one and with rings of their own size, replicate both ways: what is
 * written on one side is on the other, what was written on both comes together, and what no queue told
 * of is found by a full-sync.
 */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { Test } from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { keyToString, type ObjectKey } from '../../src/base/names.ts';
import type { DevNode } from '../../src/cli/dev-cluster.ts';
import type { GetResult } from '../../src/client/client-types.ts';
import { spawnUntraced } from '../untraced.ts';
import { startSites, until, type Site } from './two-clusters.ts';

spawnUntraced();

/** A key that has waited for so long has been written, on a machine that is not too busy for it. */
const WRITTEN_AFTER_MS = 1_000;
const TYPES = { siblings: { allow_mult: true }, sets: { datatype: 'set', allow_mult: true } };
const { sites, close } = await startSites(
  { nodeCount: 3, ringSize: 16, types: { ...TYPES, only_here: { allow_mult: true } } },
  { nodeCount: 1, ringSize: 8, types: TYPES },
);
const [a, b] = sites;
t.teardown(close);

function named(key: string, bucket = 'b', type = 'siblings'): ObjectKey {
  const [typeName, bucketName, keyName] = [type, bucket, key].map(utf8ToByteString);
  return { type: typeName, bucket: bucketName, key: keyName } as ObjectKey;
}

async function put({ client }: Site, key: ObjectKey, text: string): Promise<void> {
  const found = await client.get(key);
  await client.put(key, { value: Buffer.from(text) }, { context: found.context });
}

async function putAll(site: Site, keys: readonly string[], bucket = 'b'): Promise<void> {
  for (let from = 0; from < keys.length; from += 32) {
    await Promise.all(
      keys.slice(from, from + 32).map((key) => put(site, named(key, bucket), `of ${key}`)),
    );
  }
}

function values(result: GetResult): string[] {
  return result.kind === 'found' ? result.siblings.map(({ value }) => String(value)).sort() : [];
}

/** Until both sites show the same values with the same context. */
async function untilEqual(t: Test, key: ObjectKey, wanted: readonly string[]): Promise<void> {
  let shown: readonly GetResult[] = [];
  await until(`${key.key} is ${wanted.join(' and ')} on both sides`, async () => {
    shown = await Promise.all(sites.map(({ client }) => client.get(key)));
    const [left, right] = shown;
    return (
      shown.every((each) => values(each).join() === wanted.join()) &&
      left?.context?.equals(right?.context ?? Buffer.alloc(0)) === true
    );
  });
  t.same(shown.map(values), [wanted, wanted], key.key);
}

async function untilFound(site: Site, keys: readonly string[], bucket = 'b'): Promise<void> {
  for (const key of keys) {
    await until(`${key} is there`, async () => {
      return values(await site.client.get(named(key, bucket)))[0] === `of ${key}`;
    });
  }
}

function cut(): void {
  for (const { link } of sites) link.cut();
}

function mend(): void {
  for (const { link } of sites) link.mend();
}

async function fullSync(site: Site, source = 'other') {
  const last = async () => {
    const { sources } = await site.status();
    const { progress, last: result } =
      sources.find((each) => each.source === source)?.fullSync ?? {};
    return progress === undefined ? result : undefined;
  };
  const before = (await last())?.endedAt;
  await until('a full-sync may begin', async () => {
    await site.ask('replication sync', { source });
    return true;
  });
  await until('the full-sync has ended', async () => {
    const result = await last();
    return result !== undefined && result.endedAt !== before;
  });
  return last();
}

t.test('a write on either side is on the other, as it is', async (t) => {
  for (const [index, site] of sites.entries()) {
    const key = named(`simple-${index}`);
    await put(site, key, 'one');
    await untilEqual(t, key, ['one']);
    await put(sites[1 - index] as Site, key, 'two');
    await untilEqual(t, key, ['two']);
    await put(site, key, 'three');
    await untilEqual(t, key, ['three']);
  }
});

t.test('a delete on either side is one on the other, and stays', async (t) => {
  for (const [index, site] of sites.entries()) {
    const key = named(`deleted-${index}`);
    await put(site, key, 'one');
    await untilEqual(t, key, ['one']);
    const { context } = await site.client.get(key);
    await site.client.delete(key, { context });
    await untilEqual(t, key, []);
    const other = sites[1 - index] as Site;
    await put(other, key, 'back');
    await untilEqual(t, key, ['back']);
  }
});

t.test('sets that are changed on both sides come together', async (t) => {
  const key = named('set', 'b', 'sets');
  cut();
  for (const [index, { client }] of sites.entries()) {
    await client.datatypes.update(key, {
      kind: 'set',
      adds: [utf8ToByteString(`of-${index}`)],
      removes: [],
    });
  }
  mend();
  await until('both sets have both', async () => {
    const shown = await Promise.all(sites.map(({ client }) => client.datatypes.fetch(key)));
    return shown.every((each) => JSON.stringify(each).match(/of-0.*of-1/) !== null);
  });
  t.pass('both have both');
});

t.test('what both sides write while they are cut off is siblings on both', async (t) => {
  const key = named('torn');
  await put(a, key, 'before');
  await untilEqual(t, key, ['before']);
  cut();
  await put(a, key, 'of a');
  await put(b, key, 'of b');
  t.same(values(await a.client.get(key)), ['of a']);
  t.same(values(await b.client.get(key)), ['of b']);
  await until('the silence is seen', async () => {
    const { sources } = await b.status();
    return sources[0]?.nodes.every(({ trouble }) => trouble !== undefined) === true;
  });
  mend();
  await untilEqual(t, key, ['of a', 'of b']);
  await put(b, key, 'resolved');
  await untilEqual(t, key, ['resolved']);
});

t.test('a type that one side does not have holds up nothing', async (t) => {
  await put(a, named('k', 'b', 'only_here'), 'x');
  const keys = Array.from({ length: 20 }, (_, index) => `beside-${index}`);
  await putAll(a, keys);
  await untilFound(b, keys);
  await until('it is counted', async () => {
    const { sources } = await b.status();
    return sources[0]?.refused['unknown-bucket-type'] === 1;
  });
  const result = await fullSync(b);
  t.match(result, { failure: undefined, bucketsUnknown: 1 });
});

async function restartAll(site: Site, signal: NodeJS.Signals, whileDown?: (node: DevNode) => void) {
  for (const node of site.nodes) {
    const child = site.cluster.mustChild(node.name);
    child.kill(signal);
    await child.exited();
    whileDown?.(node);
    await site.cluster.launch(node).ready();
  }
}

t.test('what is queued on a node is there when it was stopped, or killed', async () => {
  const diskBytes = async (): Promise<number> => {
    const all = await Promise.all(a.nodes.map((node) => a.status(node)));
    return all.reduce((sum, { queues }) => sum + (queues[0]?.diskBytes ?? 0), 0);
  };
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await until('nothing waits', async () => (await diskBytes()) === 0);
    cut();
    const keys = Array.from({ length: 300 }, (_, index) => `${signal}-${index}`);
    await putAll(a, keys, 'kept');
    // Each is there with a size of one byte and a time of six.
    const bytes = keys.reduce((sum, key) => sum + keyToString(named(key, 'kept')).length + 7, 0);
    // The beginnings of blocks can outweigh the last keys: what is written half a second later is all.
    let before = 0;
    await until('what waits is on disk', async () => {
      const now = await diskBytes();
      const isAll = now > bytes && now === before;
      before = now;
      if (!isAll) await sleep(WRITTEN_AFTER_MS);
      return isAll;
    });
    await restartAll(a, signal);
    mend();
    await untilFound(b, keys, 'kept');
  }
});

t.test('a full-sync finds what was queued on a node that died with its disk', async (t) => {
  const keys = Array.from({ length: 300 }, (_, index) => `queued-${index}`);
  cut();
  await putAll(a, keys, 'lost');
  await restartAll(a, 'SIGKILL', ({ dataFolder }) => {
    rmSync(join(dataFolder, 'replication'), { recursive: true, force: true });
  });
  mend();
  const [key] = keys as [string];
  t.same(values(await b.client.get(named(key, 'lost'))), []);
  const result = await fullSync(b);
  t.equal(result?.failure, undefined);
  await untilFound(b, keys, 'lost');
  // A replica that was killed may have a copy to be healed first.
  for (const site of sites) {
    await until('nothing differs any more', async () => {
      const { failure, keys: asked } = (await fullSync(site)) ?? {};
      return failure === undefined && asked === 0;
    });
  }
});

async function holdQueues(isHeld: boolean): Promise<void> {
  const command = isHeld ? 'replication pause' : 'replication resume';
  for (const node of a.nodes) await a.ask(command, { queue: 'to_other' }, node);
}

t.test('a full-sync leaves alone what was deleted there and was never here', async (t) => {
  const key = named('short', 'lived');
  await holdQueues(true);
  // At every replica, since a comparison looks at one.
  await a.client.put(key, { value: Buffer.from('x') }, { w: 3 });
  const { context } = await a.client.get(key);
  await a.client.delete(key, { context, w: 3 });
  t.match(await fullSync(b), { failure: undefined, keys: 0 });
  t.same(await b.client.get(key), { kind: 'not-found', context: undefined });
  await holdQueues(false);
  await until('the deletion itself is there', async () => {
    const [there, here] = await Promise.all(sites.map(({ client }) => client.get(key)));
    return there?.context !== undefined && here?.context?.equals(there.context) === true;
  });
});

t.test('a queue takes and a full-sync asks for its own buckets only', async (t) => {
  cut();
  await putAll(a, ['one', 'two'], 'picked');
  await putAll(a, ['one', 'two'], 'unpicked');
  await holdQueues(true);
  mend();
  const before = await fullSync(b, 'picked');
  t.equal(before?.failure, undefined);
  await untilFound(b, ['one', 'two'], 'picked');
  t.same(values(await b.client.get(named('one', 'unpicked'))), []);
  await holdQueues(false);
  await untilFound(b, ['one', 'two'], 'unpicked');
});

t.test('a source that is paused is not fetched from, until it is resumed', async (t) => {
  await b.ask('replication pause', { source: 'other' });
  await b.ask('replication pause', { source: 'picked' });
  const queued = async (): Promise<number> => {
    const all = await Promise.all(a.nodes.map((node) => a.status(node)));
    return all.reduce((sum, { queues }) => sum + (queues[0]?.realTime ?? 0), 0);
  };
  const keys = Array.from({ length: 10 }, (_, index) => `held-${index}`);
  await until('the source sees that nobody fetches', async () => {
    const all = await Promise.all(a.nodes.map((node) => a.status(node)));
    return all.every(({ queues }) => queues[0]?.consumers === 0);
  });
  await putAll(a, keys);
  t.equal(await queued(), 10);
  await t.rejects(b.ask('replication sync', { source: 'other' }), /paused/);
  await t.rejects(b.ask('replication pause', { source: 'none' }), /configured: other, picked/);
  await b.ask('replication resume', { source: 'other' });
  await b.ask('replication resume', { source: 'picked' });
  await untilFound(b, keys);
  await until('all of it is acknowledged', async () => (await queued()) === 0);
});
