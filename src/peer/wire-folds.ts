/**
 * The compact form of folds and of what they find.
 */

import { unreachable } from '../base/fault.ts';
import { TREE_SIZES } from '../object/tictac-tree.ts';
import type {
  ClassCount,
  FoldCopies,
  FoldFindings,
  FoldPiece,
  FoldQuestion,
  FoldRange,
  FoldScan,
} from './folds.ts';
import { malformed } from './tuple-reader.ts';
import type { TupleReader, WireTuple, WireValue } from './tuple-reader.ts';

const COPIES: readonly FoldCopies[] = ['all', 'tombstones', 'live'];

export function foldScanToTuple({ range, question, after }: FoldScan): WireTuple {
  const { type, bucket, keys, segments, modified } = range;
  return [
    type,
    bucket,
    keys === undefined ? null : [keys.from, keys.to],
    segments === undefined ? null : [TREE_SIZES.indexOf(segments.size), [...segments.segments]],
    modified === undefined ? null : [modified.from, modified.to],
    after ?? null,
    questionToTuple(question),
  ];
}

export function readFoldScan(reader: TupleReader): FoldScan {
  const fields = reader.tuple();
  const range: FoldRange = {
    type: fields.byteString(),
    bucket: fields.byteString(),
    keys: fields.optional((field) => {
      const ends = field.tuple();
      return { from: ends.byteString(), to: ends.byteString() };
    }),
    segments: fields.optional((field) => {
      const filter = field.tuple();
      const size = filter.choice(TREE_SIZES);
      return { size, segments: new Set(filter.list((list) => list.count())) };
    }),
    modified: fields.optional((field) => {
      const ends = field.tuple();
      return { from: ends.count(), to: ends.count() };
    }),
  };
  const after = fields.optional((field) => field.byteString());
  return { range, after, question: readQuestion(fields.tuple()) };
}

function questionToTuple(question: FoldQuestion): WireTuple {
  switch (question.kind) {
    case 'siblings':
      return [1, question.above];
    case 'sizes':
      return [2, question.above];
    case 'keys':
      return [3, COPIES.indexOf(question.copies)];
    case 'contexts':
      return [4, COPIES.indexOf(question.copies)];
    case 'statistics':
      return [5, COPIES.indexOf(question.copies)];
    case 'leaves':
      return [6, question.seed ?? null];
    default:
      return unreachable(question);
  }
}

function readQuestion(fields: TupleReader): FoldQuestion {
  switch (fields.count()) {
    case 1:
      return { kind: 'siblings', above: fields.count() };
    case 2:
      return { kind: 'sizes', above: fields.count() };
    case 3:
      return { kind: 'keys', copies: fields.choice(COPIES) };
    case 4:
      return { kind: 'contexts', copies: fields.choice(COPIES) };
    case 5:
      return { kind: 'statistics', copies: fields.choice(COPIES) };
    case 6:
      return { kind: 'leaves', seed: fields.optional((field) => field.count()) };
    default:
      throw malformed('unknown question of a fold');
  }
}

/** Lists are flat: key and amount, key and context, class and count, one after the other. */
export function foldPieceToTuple(piece: FoldPiece): WireTuple {
  return [piece.upTo, ...findingsToTuple(piece)];
}

export function readFoldPiece(reader: TupleReader): FoldPiece {
  return { upTo: reader.byteString(), ...readFindings(reader) };
}

function findingsToTuple(findings: FoldFindings): WireTuple {
  switch (findings.kind) {
    case 'amounts':
      return [1, findings.amounts.flat()];
    case 'contexts':
      return [2, findings.contexts.flat()];
    case 'statistics': {
      const { count, sizeBytes, sizes, siblings } = findings.statistics;
      return [3, count, sizeBytes, flatCounts(sizes), flatCounts(siblings)];
    }
    case 'leaves':
      return [4, findings.leaves];
    default:
      return unreachable(findings);
  }
}

function readFindings(reader: TupleReader): FoldFindings {
  switch (reader.count()) {
    case 1:
      return {
        kind: 'amounts',
        amounts: reader.list((list) => [list.byteString(), list.count()] as const),
      };
    case 2:
      return {
        kind: 'contexts',
        contexts: reader.list((list) => [list.byteString(), list.bytes()] as const),
      };
    case 3:
      return {
        kind: 'statistics',
        statistics: {
          count: reader.count(),
          sizeBytes: reader.count(),
          sizes: reader.list(readClassCount),
          siblings: reader.list(readClassCount),
        },
      };
    case 4: {
      const leaves = reader.bytes();
      if (leaves.length % 8 !== 0) throw malformed('leaves are of eight bytes');
      return { kind: 'leaves', leaves };
    }
    default:
      throw malformed('unknown findings of a fold');
  }
}

function flatCounts(counts: readonly ClassCount[]): readonly WireValue[] {
  return counts.flat();
}

function readClassCount(reader: TupleReader): ClassCount {
  return [reader.count(), reader.count()];
}
