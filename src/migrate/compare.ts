/**
 * A comparison: every key of either end is read at both, and nothing is written.
 *
 * Where both ends list their keys in order the two lists are merged, so that each key is read once;
 * else the second list is gone through after the first, for what only the target has. The few of a
 * page that differ are read again after a while before they count: a write that goes to both is at one
 * of them first. Where much of a page differs that is not the reason.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { ByteString } from '../base/bytes.ts';
import type { ObjectKey } from '../base/names.ts';
import { holdsSame } from './carried-object.ts';
import { isUnknownType } from './cluster-end.ts';
import type { ClusterEnd } from './cluster-end.ts';
import { eachAtOnce } from './each-at-once.ts';
import type { KeyFile } from './key-file.ts';
import { ObjectRateLimit } from './object-rate-limit.ts';
import { Progress } from './progress.ts';
import { Tally, breakOf, reasonOf } from './tally.ts';
import { bucketsOf, walk } from './walk.ts';
import type { Page, Place, Scope } from './walk.ts';

export interface CompareOptions {
  readonly scope: Scope;
  readonly concurrency: number;
  readonly rate: number | undefined;
  readonly expected: number | undefined;
  readonly isQuiet: boolean;
}

export interface CompareSummary {
  readonly isSame: boolean;
  /** Why not all was read. */
  readonly brokenOff: string | undefined;
  readonly objects: number;
  readonly equal: number;
  /** The target has them not. */
  readonly missing: number;
  readonly differing: number;
  /** The source has them not. */
  readonly extra: number;
  readonly failed: number;
  readonly reasons: Readonly<Record<string, number>>;
  readonly seconds: number;
}

export interface CompareEnds {
  readonly source: ClusterEnd;
  readonly target: ClusterEnd;
  readonly keyFile: KeyFile;
}

type Finding = 'equal' | 'missing' | 'differing' | 'extra' | 'neither';

const SECOND_LOOK_MS = 1_000;
/** Of a page: more are read again at once. */
const SUSPECTS_SHARE = 0.1;
const SUSPECTS_MIN = 10;

export async function compare(ends: CompareEnds, options: CompareOptions): Promise<CompareSummary> {
  await ends.keyFile.clear();
  const tally = new Tally();
  const { expected, isQuiet, scope } = options;
  const progress = new Progress({ tally, expected: () => expected, isQuiet });
  const comparison = new Comparison(ends, options, tally);
  let brokenOff: string | undefined;
  try {
    for (const type of scope.types) {
      for (const bucket of scope.buckets ?? (await bucketsOfBoth(ends, type))) {
        await comparison.bucket(type, bucket);
      }
    }
  } catch (error) {
    brokenOff = breakOf(error);
  } finally {
    progress.end();
  }
  const [missing, differing] = [tally.count('missing'), tally.count('differing')];
  const [extra, failed] = [tally.count('extra'), tally.count('failed')];
  return {
    isSame: brokenOff === undefined && missing + differing + extra + failed === 0,
    brokenOff,
    objects: tally.objects,
    equal: tally.count('equal'),
    missing,
    differing,
    extra,
    failed,
    reasons: tally.reasons,
    seconds: tally.seconds,
  };
}

async function bucketsOfBoth(
  { source, target }: CompareEnds,
  type: ByteString,
): Promise<readonly ByteString[]> {
  // A type that the target lacks shows as objects that are missing.
  const there = await bucketsOf(target, type).catch((error: unknown) => {
    if (isUnknownType(error)) return [];
    throw error;
  });
  return [...new Set([...(await bucketsOf(source, type)), ...there])].sort();
}

class Comparison {
  readonly #ends: CompareEnds;
  readonly #options: CompareOptions;
  readonly #tally: Tally;
  readonly #rateLimit: ObjectRateLimit;

  constructor(ends: CompareEnds, options: CompareOptions, tally: Tally) {
    this.#ends = ends;
    this.#options = options;
    this.#tally = tally;
    this.#rateLimit = new ObjectRateLimit(options.rate);
  }

  async bucket(type: ByteString, bucket: ByteString): Promise<void> {
    const { source, target } = this.#ends;
    const scope: Scope = { types: [type], buckets: [bucket] };
    const places = {
      source: await source.place(type, bucket),
      target: await target.place(type, bucket).catch((error: unknown) => {
        if (isUnknownType(error)) return undefined;
        throw error;
      }),
    };
    if (places.target === undefined) {
      for await (const { keys } of walk(source, scope)) {
        await this.#each(places, keys);
      }
      return;
    }
    const mine = new KeyList(walk(source, scope));
    const theirs = new KeyList(walk(target, scope));
    if ((await mine.isOrdered()) && (await theirs.isOrdered())) {
      for await (const keys of union(mine, theirs)) await this.#each(places, keys);
      return;
    }
    // Nobody takes them for as long as the first list lasts, and a listing does not wait for that.
    await theirs.close();
    for await (const keys of mine.batches()) await this.#each(places, keys);
    const anew = new KeyList(walk(target, scope));
    for await (const keys of anew.batches()) await this.#each(places, keys, 'extra');
  }

  /** `only`: other findings have been counted before. */
  async #each(places: Places, keys: readonly ByteString[], only?: Finding): Promise<void> {
    const suspects: ByteString[] = [];
    const suspectsMax = Math.max(SUSPECTS_MIN, keys.length * SUSPECTS_SHARE);
    await this.#atOnce(places, keys, async (key) => {
      const finding = await this.#look(places, key);
      if (finding === 'equal' || finding === 'neither') await this.#count(key, finding, only);
      else suspects.push(key.key);
    });
    if (suspects.length === 0) return;
    if (suspects.length <= suspectsMax) await sleep(SECOND_LOOK_MS);
    await this.#atOnce(places, suspects, async (key) => {
      await this.#count(key, await this.#look(places, key), only);
    });
  }

  async #atOnce(
    places: Places,
    keys: readonly ByteString[],
    work: (key: ObjectKey) => Promise<void>,
  ): Promise<void> {
    const { type, bucket } = places.source;
    await eachAtOnce(keys, this.#options.concurrency, async (name) => {
      const key = { type, bucket, key: name };
      await this.#rateLimit.turn();
      try {
        await work(key);
      } catch (error) {
        const reason = reasonOf(error);
        this.#tally.add('failed', reason);
        await this.#ends.keyFile.add(key, 'failed', reason);
      }
    });
  }

  async #count(key: ObjectKey, finding: Finding, only: Finding | undefined): Promise<void> {
    if (finding === 'neither' || (only !== undefined && finding !== only)) return;
    this.#tally.add(finding);
    if (finding !== 'equal') await this.#ends.keyFile.add(key, finding);
  }

  async #look(places: Places, key: ObjectKey): Promise<Finding> {
    const [source, target] = await Promise.all([
      this.#ends.source.read(places.source, key),
      places.target && this.#ends.target.read(places.target, key),
    ]);
    const [here, there] = [source.carried, target?.carried];
    if (here === undefined) return there === undefined ? 'neither' : 'extra';
    if (there === undefined) return 'missing';
    return holdsSame(here, there) ? 'equal' : 'differing';
  }
}

interface Places {
  readonly source: Place;
  /** Undefined: the target lacks the bucket type. */
  readonly target: Place | undefined;
}

/** The keys of one bucket, as they come from pages. */
class KeyList {
  readonly #pages: AsyncGenerator<Page>;
  #page: Page | undefined;
  #index = 0;

  constructor(pages: AsyncGenerator<Page>) {
    this.#pages = pages;
  }

  /** Of an empty list too. */
  async isOrdered(): Promise<boolean> {
    if ((await this.peek()) === undefined) return true;
    return this.#page?.isOrdered === true;
  }

  async peek(): Promise<ByteString | undefined> {
    while (this.#page === undefined || this.#index >= this.#page.keys.length) {
      const { value, done } = await this.#pages.next();
      if (done === true) return undefined;
      this.#page = value;
      this.#index = 0;
    }
    return this.#page.keys[this.#index];
  }

  take(): void {
    this.#index += 1;
  }

  /** Its rest is not asked for any more. */
  async close(): Promise<void> {
    await this.#pages.return(undefined);
  }

  async *batches(): AsyncGenerator<readonly ByteString[]> {
    while ((await this.peek()) !== undefined) {
      yield this.#page?.keys.slice(this.#index) ?? [];
      this.#index = Infinity;
    }
  }
}

const BATCH_COUNT = 1_000;

/** The keys of both lists, each once, in batches. Both are in ascending order. */
async function* union(left: KeyList, right: KeyList): AsyncGenerator<readonly ByteString[]> {
  let batch: ByteString[] = [];
  for (;;) {
    const [mine, theirs] = [await left.peek(), await right.peek()];
    const key = least(mine, theirs);
    if (key === undefined) break;
    if (mine === key) left.take();
    if (theirs === key) right.take();
    batch.push(key);
    if (batch.length < BATCH_COUNT) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function least(
  left: ByteString | undefined,
  right: ByteString | undefined,
): ByteString | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return left < right ? left : right;
}
