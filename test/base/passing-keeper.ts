/** A process of its own: how much is left of buffers that went through a map, before any marking. */

import { PassingMap } from '../../src/base/passing-map.ts';

interface Keeper {
  add(key: number, buffer: Buffer): void;
  drop(key: number): void;
}

const BUFFERS = 4_096;
const SIZE_BYTES = 16 * 1024;
const UNDER_WAY = 30;
const COLLECT_EVERY = 256;
const MIB = 1024 * 1024;

const collect = globalThis.gc as unknown as (options: { type: 'minor' | 'major' }) => void;

/** MiB of buffers that scavenges alone have not freed. */
function leftOf({ add, drop }: Keeper): number {
  collect({ type: 'major' });
  const before = process.memoryUsage().arrayBuffers;
  for (let key = 0; key < BUFFERS; key += 1) {
    add(key, Buffer.allocUnsafeSlow(SIZE_BYTES));
    if (key >= UNDER_WAY) drop(key - UNDER_WAY);
    if (key % COLLECT_EVERY === 0) collect({ type: 'minor' });
  }
  collect({ type: 'minor' });
  collect({ type: 'minor' });
  return Math.round((process.memoryUsage().arrayBuffers - before) / MIB);
}

const passing = new PassingMap<number, { readonly buffer: Buffer }>();
const plain = new Map<number, { readonly buffer: Buffer }>();
const left = {
  passing: leftOf({
    add: (key, buffer) => passing.set(key, { buffer }),
    drop: (key) => void passing.take(key),
  }),
  plain: leftOf({
    add: (key, buffer) => void plain.set(key, { buffer }),
    drop: (key) => void plain.delete(key),
  }),
};
console.log(JSON.stringify(left));
