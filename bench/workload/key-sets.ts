/**
 * Sets of keys while the load runs: which key is next, and how a number becomes a key.
 *
 * A key of a set has a number, from which its name can be made again; the verifier remembers only
 * numbers. Each process writes its own share of a shared set (every so-manieth key), so that all that
 * is known about a key's writes is known in one place; it reads any of them. The keys of owned sets
 * and queues belong to one client, as in basho_bench.
 */

import { utf8ToByteString } from '../../src/base/bytes.ts';
import { nhsNumber } from '../../src/cli/demo/patient-records.ts';
import { eightyTwenty, makeChooser } from './choosers.ts';
import { phash2 } from './phash2.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { SeededRandom } from '../../src/cli/demo/patient-records.ts';
import type { Chooser } from './choosers.ts';
import type { KeyOrder, KeySetSpec } from './workload.ts';

type SharedSpec = Extract<KeySetSpec, { kind: 'shared' }>;

/** Which of how many processes this is. */
export interface ProcessShare {
  readonly index: number;
  readonly count: number;
}

/** A client's counters have 27 bits, as phash2 has. */
const COUNTERS = 2 ** 27;

export class SharedKeys {
  readonly spec: SharedSpec;
  readonly #share: ProcessShare;
  readonly #choose: Chooser;
  /** Keys of this process's share that have been written. */
  #written = 0;
  #next = 0;
  /** Of a sequence, the next of the share to be written again. */
  #turn = 0;

  constructor(spec: SharedSpec, share: ProcessShare) {
    this.spec = spec;
    this.#share = share;
    this.#choose = makeChooser(spec.choose, spec);
  }

  /** Keys of the share that the load phase writes. */
  get shareCount(): number {
    const { index, count } = this.#share;
    return Math.max(0, Math.ceil((this.spec.count - index) / count));
  }

  /** A key to read: any process may have written it. */
  any(random: SeededRandom): number {
    return this.#choose(random, Math.max(this.#share.count * this.#written, this.spec.count));
  }

  /** A key to write. */
  own(random: SeededRandom): number {
    const { index, count } = this.#share;
    if (this.spec.choose === 'sequential' && this.shareCount > 0) {
      return index + count * (this.#turn++ % this.shareCount);
    }
    const chosen = this.any(random);
    const own = chosen - (chosen % count) + index;
    return own < Math.max(this.spec.count, count * this.#written) ? own : index;
  }

  /** The next new key of the share. */
  add(): number {
    const number = this.#next * this.#share.count + this.#share.index;
    this.#next += 1;
    return number;
  }

  /** A key that was added has been written. */
  confirm(): void {
    this.#written += 1;
  }

  /** The keys were written by an earlier run. */
  assumeLoaded(): void {
    this.#next = this.shareCount;
    this.#written = this.shareCount;
  }

  nameOf(number: number): ByteString {
    return numberToName(this.spec, number);
  }

  /** The number of a decimal name, if this process writes that key. */
  numberOfOwn(name: ByteString): number | undefined {
    const { names, prefix, first } = this.spec;
    const hasPrefix = names === 'decimal' || names === 'padded';
    const digits = name.slice(hasPrefix ? utf8ToByteString(prefix).length : 0);
    const number = /^\d{1,12}$/.test(digits) ? Number(digits) - first : undefined;
    const isOwn = number !== undefined && number % this.#share.count === this.#share.index;
    return isOwn && this.nameOf(number) === name ? number : undefined;
  }
}

/** One client's keys of an owned set, as the NHS driver's `alwaysget` operations have them. */
export class OwnedKeys {
  readonly #client: number;
  readonly #spec: { readonly most: number; readonly least: number; readonly order: KeyOrder };
  /** Keys that this client has written. */
  count = 0;

  constructor(
    client: number,
    spec: { readonly most: number; readonly least: number; readonly order: KeyOrder },
  ) {
    this.#client = client;
    this.#spec = spec;
  }

  /** A key to read; undefined while there are too few: then nothing is done, and nothing counted. */
  existing(random: SeededRandom): number | undefined {
    if (this.count <= this.#spec.least) return undefined;
    return this.#number(eightyTwenty(random, this.count));
  }

  /** A key to update, or undefined where the set is to grow: the rarer the more keys there are. */
  toUpdate(random: SeededRandom): number | undefined {
    if (1 + random.integer(this.#spec.most) > this.count) return undefined;
    return this.#number(eightyTwenty(random, this.count));
  }

  /** The next new key, which counts once `count` is raised. */
  next(): number {
    return this.#number(this.count + 1);
  }

  #number(counter: number): number {
    return clientNumber(this.#client, this.#spec.order, counter);
  }
}

/** One client's queue: written at one end, deleted at the other, read anywhere between. */
export class QueueKeys {
  readonly #client: number;
  readonly #order: KeyOrder;
  /** The next to be written. */
  #high = 1;
  /** The last that was deleted. */
  #low = 1;

  constructor(client: number, order: KeyOrder) {
    this.#client = client;
    this.#order = order;
  }

  next(): number {
    return this.#number(this.#high);
  }

  confirm(): void {
    this.#high += 1;
  }

  /** A key to read. `isCertain`: it must be there. */
  existing(random: SeededRandom): { readonly number: number; readonly isCertain: boolean } {
    const counter = this.#low + 1 + random.integer(Math.max(1, this.#high - this.#low));
    return { number: this.#number(counter), isCertain: counter < this.#high };
  }

  /** Takes the oldest off; undefined where deletes have caught up with writes. */
  takeOldest(): number | undefined {
    if (this.#low + 1 >= this.#high) return undefined;
    this.#low += 1;
    return this.#number(this.#low);
  }

  #number(counter: number): number {
    return clientNumber(this.#client, this.#order, counter);
  }
}

/** Nine digits of counter or hash, nine of the client's identity. */
export function clientKeyName(number: number): ByteString {
  const client = Math.floor(number / COUNTERS);
  const identity = String(phash2(client)).padStart(9, '0');
  return (String(number % COUNTERS).padStart(9, '0') + identity) as ByteString;
}

/** Two counters with one hash have one number, as they have one key. */
function clientNumber(client: number, order: KeyOrder, counter: number): number {
  return client * COUNTERS + (order === 'skew_order' ? phash2(counter) : counter % COUNTERS);
}

function numberToName(spec: SharedSpec, index: number): ByteString {
  const number = spec.first + index;
  switch (spec.names) {
    case 'decimal':
      return utf8ToByteString(spec.prefix + String(number).padStart(12, '0'));
    case 'text':
      return utf8ToByteString(String(number));
    case 'padded':
      return utf8ToByteString(spec.prefix + String(number).padStart(spec.digits, '0'));
    case 'nhs_number':
      return nhsNumber(number) as ByteString;
    case 'big_endian_32':
    case 'little_endian_32': {
      const bytes = Buffer.allocUnsafe(4);
      if (spec.names === 'big_endian_32') bytes.writeUInt32BE(number);
      else bytes.writeUInt32LE(number);
      return bytes.toString('latin1') as ByteString;
    }
  }
}
