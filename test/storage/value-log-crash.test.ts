/**
 * The store with its value log on files that lose what was not synced: whenever the power goes, what
 * is found again is every acknowledged write, in order, and of the rest the first few, whole; while it
 * runs, reads and scans see one such moment; the accounts of the log say what the pointers say; and a
 * segment's origin and number name the same bytes for ever.
 */

import fc from 'fast-check';
import t from 'tap';
import type { Test } from 'tap';
import { decodeLogSegmentKey } from '../../src/storage/keys.ts';
import type { LevelDbStore } from '../../src/storage/leveldb-store.ts';
import { logEntrySize } from '../../src/storage/log-entry.ts';
import { decodeAccount } from '../../src/storage/segment-ledger.ts';
import type { Put, WriteOperation } from '../../src/storage/store.ts';
import { placeOf } from '../../src/storage/stored-value.ts';
import { VirtualHost } from '../replica/virtual-host.ts';
import { Power } from './power.ts';
import { SimulatedFiles } from './simulated-files.ts';
import { remove, scanAll } from './store-compliance.ts';

const ALL = { from: Buffer.of(0), to: Buffer.of(0xff) };
const KEYS = ['a', 'b', 'c', 'd', 'e', 'long '.repeat(10)];
const UNDER_WAY_MAX = 4;

type State = ReadonlyMap<string, string>;

/** A store's history over all its processes: each state that a write made, in order. */
class History {
  readonly states: State[] = [new Map()];
  /** The bytes of each segment that was ever found, by origin and number. */
  readonly bytesByName = new Map<string, Buffer>();
  ackedCount = 0;

  get writtenCount(): number {
    return this.states.length - 1;
  }

  take(operations: readonly WriteOperation[]): void {
    const state = new Map(this.states.at(-1));
    for (const operation of operations) {
      if (operation.kind === 'remove') state.delete(operation.key.toString());
      else state.set(operation.key.toString(), Buffer.concat(partsOf(operation)).toString());
    }
    this.states.push(state);
  }

  /** The newest moment of these that looks like this. */
  findMoment(looksLike: (state: State) => boolean, from: number, to: number): number | undefined {
    for (let moment = to; moment >= from; moment -= 1) {
      if (looksLike(this.states[moment] as State)) return moment;
    }
    return undefined;
  }

  /** What came after it never was. */
  goOnFrom(moment: number): void {
    this.states.length = moment + 1;
    this.ackedCount = moment;
  }
}

function partsOf({ head, body }: Put): Buffer[] {
  return body === undefined ? [head] : [head, body];
}

function anyOperations(host: VirtualHost, serial: number): WriteOperation[] {
  const { random } = host;
  return Array.from({ length: 1 + random.integer(3) }, (_, index) => {
    const key = KEYS[random.integer(KEYS.length)] as string;
    if (random.integer(8) === 0) return remove(key);
    const body = Buffer.from(`${serial}.${index} `.repeat(random.integer(20)));
    return { kind: 'put', key: Buffer.from(key), head: Buffer.from(`${serial}:`), body };
  });
}

function isState(entries: readonly { key: Buffer; value: Buffer }[], state: State): boolean {
  if (entries.length !== state.size) return false;
  return entries.every(({ key, value }) => state.get(key.toString()) === value.toString());
}

/** Writes and reads until it is done or the power is gone; what reads saw that never was. */
async function live(power: Power, files: SimulatedFiles, history: History): Promise<string[]> {
  const { host } = power;
  const store = await power.open(files);
  const wrong: string[] = [];
  const underWay = new Set<Promise<void>>();
  const start = (work: Promise<void>): void => {
    underWay.add(work);
    void work.then(() => underWay.delete(work));
  };
  for (let count = 0; count < 24; count += 1) {
    const operations = anyOperations(host, history.writtenCount);
    history.take(operations);
    const moment = history.writtenCount;
    start(store.write(operations).then(() => void (history.ackedCount = moment)));
    if (host.random.integer(4) === 0) start(checkGet(store, history, wrong));
    if (host.random.integer(8) === 0) start(checkScan(store, history, wrong));
    if (underWay.size >= UNDER_WAY_MAX) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  await store.close();
  return wrong;
}

async function checkGet(store: LevelDbStore, history: History, wrong: string[]): Promise<void> {
  const key = KEYS[history.writtenCount % KEYS.length] as string;
  const from = history.ackedCount;
  const value = (await store.get(Buffer.from(key)))?.toString();
  const isSeen = (state: State): boolean => state.get(key) === value;
  if (history.findMoment(isSeen, from, history.writtenCount) === undefined) {
    wrong.push(`${key} was never ${value}`);
  }
}

async function checkScan(store: LevelDbStore, history: History, wrong: string[]): Promise<void> {
  const from = history.ackedCount;
  const entries = await scanAll(store, ALL);
  const isSeen = (state: State): boolean => isState(entries, state);
  if (history.findMoment(isSeen, from, history.writtenCount) === undefined) {
    wrong.push(`no moment from ${from} on was as scanned`);
  }
}

/** Lives until `stepsMax` or to the end, crashes, and comes back; the steps that it took. */
async function liveAndCrash(
  t: Test,
  { host, files, history }: { host: VirtualHost; files: SimulatedFiles; history: History },
  stepsMax: number,
): Promise<number> {
  const power = new Power(host, stepsMax);
  const life = { isOver: false, wrong: [] as string[] };
  const ended = live(power, files, history).then((wrong) => {
    Object.assign(life, { isOver: true, wrong });
  });
  ended.catch(() => {});
  while (!life.isOver && !power.isGone) await host.advance(1_000);
  if (power.isGone) await host.advance(1_000);
  else await ended;
  t.same(life.wrong, []);
  files.crash();

  const store = await new Power(host, Infinity).open(files);
  const found = await scanAll(store, ALL);
  const isFound = (state: State): boolean => isState(found, state);
  const moment = history.findMoment(isFound, history.ackedCount, history.writtenCount);
  t.not(moment, undefined, `what was found was there, after ${stepsMax} steps`);
  history.goOnFrom(moment ?? 0);
  await checkNames(t, store, history);
  await Promise.all([store.close(), host.advance(60_000)]);
  return power.stepCount;
}

/** A segment was found before under its name, shorter perhaps, or was not there. */
async function checkNames(t: Test, store: LevelDbStore, history: History): Promise<void> {
  const { bytesByName } = history;
  const snapshot = store.snapshot();
  while ((await snapshot.nextEntries()).length > 0);
  for (const { segment, sizeBytes, neededBytes, origin } of snapshot.segments()) {
    // Of one that was just removed the account may be left.
    if (neededBytes === 0) continue;
    const name = `${origin} ${segment}`;
    t.match(name, /^[0-9a-f]{32} \d+$/);
    const found = Buffer.alloc(sizeBytes);
    await snapshot.readSegment(segment, 0, found);
    const before = bytesByName.get(name) ?? found;
    const commonBytes = Math.min(before.length, sizeBytes);
    if (!found.subarray(0, commonBytes).equals(before.subarray(0, commonBytes))) {
      t.fail(`${name} named other bytes`);
    }
    bytesByName.set(name, found);
  }
  await snapshot.close();
}

/** What the accounts say, and what the pointers do. */
function checkAccounts(t: Test, files: SimulatedFiles): void {
  const live = new Map<number, number>();
  const accounted = new Map<number, number>();
  for (const [key, stored] of files.entries()) {
    const segment = decodeLogSegmentKey(key);
    const place = placeOf(stored);
    if (segment !== undefined) accounted.set(segment, decodeAccount(stored)?.liveBytes ?? -1);
    if (place === undefined) continue;
    const sizeBytes = logEntrySize(key.length, place.sizeBytes);
    live.set(place.segment, (live.get(place.segment) ?? 0) + sizeBytes);
  }
  for (const [segment, liveBytes] of accounted) {
    t.equal(liveBytes, live.get(segment) ?? 0, `segment ${segment}`);
  }
  for (const segment of live.keys()) t.ok(accounted.has(segment));
  const kept = files.segmentSizes();
  const left = [...accounted.keys()].filter((segment) => !kept.has(segment));
  t.same(left, [], 'no account outlives its segment');
}

function newWorld(seed: number): { host: VirtualHost; files: SimulatedFiles; history: History } {
  const host = new VirtualHost(seed);
  return { host, files: new SimulatedFiles(host.random), history: new History() };
}

t.test('a crash at any step leaves every acknowledged write, in order', async (t) => {
  let total = Infinity;
  for (let stepsMax = 0; stepsMax < total; stepsMax += 1) {
    const world = newWorld(7);
    const stepCount = await liveAndCrash(t, world, stepsMax);
    checkAccounts(t, world.files);
    if (stepCount <= stepsMax) total = stepsMax;
  }
  t.ok(total > 40, `${total} steps`);
});

t.test('crash after crash, nothing is lost and the accounts are right', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 2 ** 30 }),
      fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 5 }),
      async (seed, lives) => {
        const world = newWorld(seed);
        for (const stepsMax of lives) await liveAndCrash(t, world, stepsMax);
        checkAccounts(t, world.files);
      },
    ),
    { numRuns: 15 },
  );
});
