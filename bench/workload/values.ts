/**
 * Values: sizes by distribution, bytes by kind.
 *
 * The bytes are slices of a source made once, as basho_bench has it: random bytes, which nothing
 * compresses, text, or its "semi-compressible" mixture: of 12 KB some 70 % can be compressed away.
 * Each value is a copy, because the verifier writes its stamp over the head.
 */

import { SeededRandom } from '../../src/cli/demo/patient-records.ts';
import { STAMP_SIZE_BYTES } from '../load/stamp.ts';
import type { ValueContent, ValueSpec } from './workload.ts';

const MIB = 1024 * 1024;
const SOURCE_SIZE_BYTES = 4 * MIB;
const VALUE_SIZE_MAX_BYTES = 1024 * MIB;

/** Bytes of one value, at least a stamp's. */
export function valueSize(random: SeededRandom, spec: ValueSpec): number {
  return Math.min(VALUE_SIZE_MAX_BYTES, Math.max(STAMP_SIZE_BYTES, drawSize(random, spec)));
}

function drawSize(random: SeededRandom, spec: ValueSpec): number {
  switch (spec.kind) {
    case 'fixed':
      return spec.minBytes;
    case 'uniform':
      return spec.minBytes + random.integer(spec.spanBytes + 1);
    case 'exponential':
      return spec.minBytes + Math.trunc(exponential(random, spec.spanBytes));
    case 'semi_compressible': {
      const factor = random.next() < spec.largeShare ? spec.largeFactor : 1;
      return factor * spec.minBytes + Math.trunc(exponential(random, factor * spec.spanBytes));
    }
  }
}

/** Of that mean. */
export function exponential(random: SeededRandom, mean: number): number {
  return -Math.log(1 - random.next()) * mean;
}

/** The same seed makes the same sources. */
export class ValueSource {
  readonly #seed: number;
  readonly #sources = new Map<ValueContent, Buffer>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** A fresh value. */
  make(random: SeededRandom, spec: ValueSpec): Buffer {
    const size = valueSize(random, spec);
    const source = this.#source(spec.content);
    const value = Buffer.allocUnsafe(size);
    let filled = 0;
    while (filled < size) {
      const count = Math.min(size - filled, source.length);
      const offset = random.integer(source.length - count + 1);
      source.copy(value, filled, offset, offset + count);
      filled += count;
    }
    return value;
  }

  #source(content: ValueContent): Buffer {
    let source = this.#sources.get(content);
    if (source === undefined) {
      source = makeSource(content, new SeededRandom(this.#seed));
      this.#sources.set(content, source);
    }
    return source;
  }
}

function makeSource(content: ValueContent, random: SeededRandom): Buffer {
  if (content === 'random') return randomBytes(random, SOURCE_SIZE_BYTES);
  const blocks: Buffer[] = [];
  const material = new TextMaterial(random);
  for (let size = 0; size < SOURCE_SIZE_BYTES;) {
    const block = content === 'text' ? material.paragraphs(4) : material.mixture();
    blocks.push(block);
    size += block.length;
  }
  return Buffer.concat(blocks, SOURCE_SIZE_BYTES);
}

const LINE_SIZE_BYTES = 128;
const LINES = 16;

const WORDS = `seen referred reviewed clinic discharge summary telephone contact updated address
  confirmed consent recorded follow up appointment practice letter sent received no change blood
  pressure medication dose daily allergy known since admitted ward transferred`.split(/\s+/);

class TextMaterial {
  readonly #random: SeededRandom;
  readonly #printable: readonly Buffer[];
  readonly #lowerCase: readonly Buffer[];

  constructor(random: SeededRandom) {
    this.#random = random;
    this.#printable = this.#lines(() => 32 + random.integer(95));
    // Drawn thrice, so that early letters are the frequent ones.
    this.#lowerCase = this.#lines(
      () => 97 + random.integer(1 + random.integer(1 + random.integer(26))),
    );
  }

  /** Base64 of random bytes, repeated lines, sentences: about 3.5 KB. */
  mixture(): Buffer {
    const incompressible = Buffer.from(randomBytes(this.#random, 256).toString('base64'));
    return Buffer.concat([
      incompressible,
      ...this.#some(this.#printable, 6),
      this.paragraphs(2),
      ...this.#some(this.#lowerCase, 8),
    ]);
  }

  paragraphs(count: number): Buffer {
    const words = Array.from({ length: 90 * count }, () => this.#random.pick(WORDS));
    return Buffer.from(words.join(' '));
  }

  /** The n-th of them is one of the first n lines. */
  #some(lines: readonly Buffer[], count: number): Buffer[] {
    return Array.from({ length: count }, (_, index) => {
      return lines[this.#random.integer(Math.min(index + 1, LINES))] as Buffer;
    });
  }

  #lines(next: () => number): Buffer[] {
    return Array.from({ length: LINES }, () => {
      return Buffer.from(Array.from({ length: LINE_SIZE_BYTES }, next));
    });
  }
}

function randomBytes(random: SeededRandom, size: number): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4));
  for (let index = 0; index < words.length; index += 1) words[index] = random.next() * 2 ** 32;
  return Buffer.from(words.buffer, 0, size);
}
