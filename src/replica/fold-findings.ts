/**
 * What a fold finds: judged copy by copy from the head, and gathered into pieces.
 *
 * A copy is judged when its head is read, and the head forgotten; what is left of it is small. Sizes are
 * those of the record as it is stored, with metadata and all siblings.
 */

import { hash } from 'node:crypto';
import type { ByteString } from '../base/bytes.ts';
import { unreachable } from '../base/fault.ts';
import type { ObjectKey } from '../base/names.ts';
import { encodeContext } from '../clock/context.ts';
import { decodeHead, headSize, recordCausalHash } from '../object/record.ts';
import { isTombstone } from '../object/show.ts';
import type { ObjectHead } from '../object/stored-object.ts';
import { digestOfKey, isInFilter, leafHash } from '../object/tictac-tree.ts';
import type {
  ClassCount,
  FoldCopies,
  FoldFindings,
  FoldQuestion,
  FoldScan,
  KeyAmount,
  KeyContext,
} from '../peer/folds.ts';

const MICROS_PER_SECOND = 1_000_000;
/** Beside its bytes, about, in a piece. */
const ENTRY_BYTES = 16;
const LEAF_SIZE_BYTES = 8;

/** What is told of one copy. */
export type Finding =
  | { readonly kind: 'amount'; readonly amount: number }
  | { readonly kind: 'context'; readonly context: Buffer }
  | { readonly kind: 'measures'; readonly sizeBytes: number; readonly siblings: number }
  | { readonly kind: 'leaf'; readonly segment: number; readonly leaf: number };

/** Undefined: the copy is not asked for, or its head is not sound. `record` is at least its head. */
export function judgeCopy(
  { range, question }: FoldScan,
  key: ObjectKey,
  record: Buffer,
): Finding | undefined {
  const { segments, modified } = range;
  if (segments !== undefined && !isInFilter(segments, digestOfKey(key))) return undefined;
  const head = decodeHead(record);
  if (head === undefined) return undefined;
  if (modified !== undefined) {
    const seconds = Math.floor(lastModifiedMicros(head) / MICROS_PER_SECOND);
    if (seconds < modified.from || seconds > modified.to) return undefined;
  }
  return judgeHead(question, { key, record, head });
}

interface Copy {
  readonly key: ObjectKey;
  readonly record: Buffer;
  readonly head: ObjectHead;
}

function judgeHead(question: FoldQuestion, copy: Copy): Finding | undefined {
  const { head, record, key } = copy;
  switch (question.kind) {
    case 'siblings': {
      const amount = head.siblings.length;
      return amount > question.above ? { kind: 'amount', amount } : undefined;
    }
    case 'sizes': {
      const amount = sizeOf(copy);
      return amount > question.above ? { kind: 'amount', amount } : undefined;
    }
    case 'keys':
      return isAmong(question.copies, head) ? { kind: 'amount', amount: 0 } : undefined;
    case 'contexts':
      return isAmong(question.copies, head)
        ? { kind: 'context', context: encodeContext(head.context) }
        : undefined;
    case 'statistics':
      return isAmong(question.copies, head)
        ? { kind: 'measures', sizeBytes: sizeOf(copy), siblings: head.siblings.length }
        : undefined;
    case 'leaves': {
      const digest = digestOfKey(key);
      const leaf = leafHash(digest, seededNumber(record, question.seed));
      return { kind: 'leaf', segment: digest.segment, leaf };
    }
    default:
      return unreachable(question);
  }
}

function isAmong(copies: FoldCopies, head: ObjectHead): boolean {
  return copies === 'all' || (copies === 'tombstones') === isTombstone(head);
}

function lastModifiedMicros({ siblings }: ObjectHead): number {
  return siblings.reduce((last, sibling) => Math.max(last, sibling.lastModifiedMicros), 0);
}

function sizeOf({ head, record }: Copy): number {
  return head.siblings.reduce(
    (sum, { valueSizeBytes }) => sum + valueSizeBytes,
    headSize(record) ?? 0,
  );
}

function causalNumber(record: Buffer): number {
  return recordCausalHash(record)?.readUInt32BE(0) ?? 0;
}

function seededNumber(record: Buffer, seed: number | undefined): number {
  if (seed === undefined) return causalNumber(record);
  const seeded = Buffer.alloc(4 + 16);
  seeded.writeUInt32BE(seed);
  recordCausalHash(record)?.copy(seeded, 4);
  return hash('md5', seeded, 'buffer').readUInt32BE(0);
}

/** One piece while it is being put together. */
export class PieceBuilder {
  readonly #question: FoldQuestion;
  readonly #amounts: KeyAmount[] = [];
  readonly #contexts: KeyContext[] = [];
  readonly #leaves: number[] = [];
  readonly #sizes = new ClassCounter();
  readonly #siblings = new ClassCounter();
  #count = 0;
  #sumBytes = 0;
  /** About what the piece takes. */
  sizeBytes = 0;

  constructor(question: FoldQuestion) {
    this.#question = question;
  }

  add(key: ByteString, finding: Finding): void {
    switch (finding.kind) {
      case 'amount':
        this.#amounts.push([key, finding.amount]);
        this.sizeBytes += key.length + ENTRY_BYTES;
        return;
      case 'context':
        this.#contexts.push([key, finding.context]);
        this.sizeBytes += key.length + finding.context.length + ENTRY_BYTES;
        return;
      case 'measures':
        this.#count += 1;
        this.#sumBytes += finding.sizeBytes;
        this.#sizes.note(powerOfTen(finding.sizeBytes));
        this.#siblings.note(finding.siblings);
        return;
      case 'leaf':
        this.#leaves.push(finding.segment, finding.leaf);
        this.sizeBytes += LEAF_SIZE_BYTES;
        return;
      default:
        unreachable(finding);
    }
  }

  findings(): FoldFindings {
    switch (this.#question.kind) {
      case 'contexts':
        return { kind: 'contexts', contexts: this.#contexts };
      case 'statistics':
        return {
          kind: 'statistics',
          statistics: {
            count: this.#count,
            sizeBytes: this.#sumBytes,
            sizes: this.#sizes.counts(),
            siblings: this.#siblings.counts(),
          },
        };
      case 'leaves':
        return { kind: 'leaves', leaves: this.#packedLeaves() };
      case 'siblings':
      case 'sizes':
      case 'keys':
        return { kind: 'amounts', amounts: this.#amounts };
      default:
        return unreachable(this.#question);
    }
  }

  #packedLeaves(): Buffer {
    const leaves = Buffer.alloc(this.#leaves.length * 4);
    for (const [index, value] of this.#leaves.entries()) leaves.writeUInt32BE(value, index * 4);
    return leaves;
  }
}

class ClassCounter {
  readonly #countByClass = new Map<number, number>();

  note(of: number): void {
    this.#countByClass.set(of, (this.#countByClass.get(of) ?? 0) + 1);
  }

  counts(): ClassCount[] {
    return [...this.#countByClass].sort(([left], [right]) => left - right);
  }
}

/** 0 for what is below 10. */
function powerOfTen(sizeBytes: number): number {
  let power = 0;
  for (let rest = sizeBytes; rest >= 10; rest /= 10) power += 1;
  return power;
}
