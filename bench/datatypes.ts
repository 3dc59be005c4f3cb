/**
 * `node build/bench/datatypes.js`: updates and fetches of each data type, small and large.
 *
 * One node in this process, n=1, on a memory store: what is measured is the data types' own computing,
 * without network and disk. A row is a value of so many elements or fields; each update adds one and
 * removes one where the type can. The event loop's longest delay says whether a large value stalls
 * others; encoding for a client is timed beside it, because it is done in one go.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { utf8ToByteString, type ByteString } from '../src/base/bytes.ts';
import { Fault } from '../src/base/fault.ts';
import type { NodeId, ObjectKey } from '../src/base/names.ts';
import { shownToJson } from '../src/api/http/datatype-json.ts';
import { textTable } from '../src/cli/text-table.ts';
import type { VersionVector } from '../src/clock/version-vector.ts';
import type { DatatypeName, DatatypeOperation } from '../src/datatype/operation.ts';
import { initialState } from '../src/membership/initial-state.ts';
import { VertebraNode } from '../src/node/node.ts';
import type { ShownDatatype } from '../src/object/datatype-requests.ts';
import { MemoryStore } from '../src/storage/memory-store.ts';
import { systemHost } from '../src/telemetry/system-host.ts';

const ROWS: readonly (readonly [datatype: DatatypeName, elementCount: number])[] = [
  ['counter', 1],
  ['set', 10],
  ['set', 1_000],
  ['set', 100_000],
  ['gset', 10],
  ['gset', 100_000],
  ['map', 10],
  ['map', 1_000],
  ['map', 10_000],
  ['hll', 10],
  ['hll', 100_000],
];
const ROW_MS = 1_500;
const FILL_COUNT = 5_000;

const nothing = (): void => {};
const host = systemHost(
  { debug: nothing, info: nothing, warn: nothing, error: nothing },
  { count: nothing, gauge: nothing, observe: nothing },
);
const id = 'bench@127.0.0.1' as NodeId;
const { state } = initialState({
  clusterName: 'bench',
  ringSize: 8,
  members: [{ id, host: '127.0.0.1', peerPort: 1, httpPort: 2, pbcPort: 3, location: '' }],
  defaultProperties: { n_val: 1 },
});
const alone = {
  request: () => Promise.reject(new Fault('peer-unreachable', 'there is no other node')),
  stream: () => {
    throw new Fault('peer-unreachable', 'there is no other node');
  },
};
const node = new VertebraNode(host, new MemoryStore(), alone, { id, initialState: state });
const alive = setInterval(nothing, 1_000);
await node.start();

const HEAD = ['', 'elements', 'update p50 ms', 'p99', 'fetch p50 ms', 'p99', 'JSON ms', 'loop max'];
const lines: string[][] = [];
for (const [datatype, count] of ROWS) lines.push(await measureRow(datatype, count));
console.log(textTable(HEAD, lines));
await node.stop();
clearInterval(alive);

async function measureRow(datatype: DatatypeName, count: number): Promise<string[]> {
  const key = await filled(datatype, count);
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  let { context } = await fetched(key);
  let next = count;
  const updates = await repeated(async () => {
    await update(key, oneMoreAndOneLess(datatype, next), context);
    next += 1;
  });
  let shown = await fetched(key);
  const fetches = await repeated(async () => {
    shown = await fetched(key);
    ({ context } = shown);
  });
  delays.disable();
  const startMs = performance.now();
  shownToJson(shown, true);
  const jsonMs = performance.now() - startMs;
  return [
    datatype,
    String(count),
    ...quantiles(updates),
    ...quantiles(fetches),
    jsonMs.toFixed(1),
    (delays.max / 1e6).toFixed(1),
  ];
}

async function filled(datatype: DatatypeName, count: number): Promise<ObjectKey> {
  const type = utf8ToByteString(datatype);
  await node.createBucketType(type, { datatype, n_val: 1 });
  await node.activateBucketType(type);
  const key = { type, bucket: utf8ToByteString('b'), key: utf8ToByteString(`k${count}`) };
  for (let start = 0; start < count; start += FILL_COUNT) {
    const length = Math.min(FILL_COUNT, count - start);
    const names = Array.from({ length }, (_, index) => element(start + index));
    await update(key, addition(datatype, names), undefined);
  }
  return key;
}

function addition(datatype: DatatypeName, names: readonly ByteString[]): DatatypeOperation {
  switch (datatype) {
    case 'counter':
      return { kind: 'counter', increment: 1n };
    case 'set':
      return { kind: 'set', adds: names, removes: [] };
    case 'gset':
    case 'hll':
      return { kind: datatype, adds: names };
    case 'map':
      return { kind: 'map', removes: [], updates: names.map(registerUpdate) };
  }
}

function oneMoreAndOneLess(datatype: DatatypeName, next: number): DatatypeOperation {
  const [added, removed] = [element(next), element(next - 1)];
  if (datatype === 'set') return { kind: 'set', adds: [added], removes: [removed] };
  if (datatype !== 'map') return addition(datatype, [added]);
  const removes = [{ name: removed, kind: 'register' }] as const;
  return { kind: 'map', removes, updates: [registerUpdate(added)] };
}

function registerUpdate(name: ByteString) {
  const field = { name, kind: 'register' } as const;
  return { field, operation: { kind: 'register', value: name } as const };
}

function element(index: number): ByteString {
  return utf8ToByteString(`element-${index}`);
}

async function update(
  key: ObjectKey,
  operation: DatatypeOperation,
  context: VersionVector | undefined,
): Promise<void> {
  const seen = context === undefined ? {} : { context };
  const outcome = await node.updateDatatype({ key, operation, ...seen, returning: 'nothing' });
  if (outcome.kind !== 'updated') throw new Error(`not updated: ${outcome.kind}`);
}

async function fetched(key: ObjectKey): Promise<ShownDatatype> {
  const outcome = await node.fetchDatatype({ key });
  if (outcome.kind !== 'found') throw new Error(`not found: ${outcome.kind}`);
  return outcome.shown;
}

/** The milliseconds of each run, one after the other. */
async function repeated(run: () => Promise<void>): Promise<number[]> {
  const endMs = performance.now() + ROW_MS;
  const times: number[] = [];
  while (performance.now() < endMs || times.length < 3) {
    const startMs = performance.now();
    await run();
    times.push(performance.now() - startMs);
    // A store in memory answers at once, so this loop must let others run itself.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  return times.sort((left, right) => left - right);
}

function quantiles(times: readonly number[]): [string, string] {
  const at = (share: number): string =>
    (times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0).toFixed(2);
  return [at(0.5), at(0.99)];
}
