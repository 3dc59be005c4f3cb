/**
 * Aggregation expressions: how the keys of several ranges are combined.
 *
 *   set = $1 | ( set ) | set SUBTRACT set | set INTERSECT set | set UNION set
 *
 * SUBTRACT binds before INTERSECT, INTERSECT before UNION. A row of SUBTRACTs groups from the right:
 * `$1 SUBTRACT $2 SUBTRACT $3` is `$1 SUBTRACT ($2 SUBTRACT $3)`. `$n` are the ranges' tags.
 */

import { TokenReader } from './tokens.ts';
import type { Parsed } from './tokens.ts';

export type Combination =
  | { readonly kind: 'range'; readonly tag: number }
  | {
      readonly kind: 'union' | 'intersect' | 'subtract';
      readonly left: Combination;
      readonly right: Combination;
    };

const NOTHING: Combination = { kind: 'range', tag: 0 };

export function parseCombination(text: string): Parsed<Combination> {
  const reader = new TokenReader(text, new Map());
  return reader.finish(readUnion(reader));
}

/** The tags that it names, each once, in ascending order. */
export function tagsOf(combination: Combination): readonly number[] {
  const tags = new Set<number>();
  const collect = (part: Combination): void => {
    if (part.kind === 'range') tags.add(part.tag);
    else {
      collect(part.left);
      collect(part.right);
    }
  };
  collect(combination);
  return [...tags].sort((left, right) => left - right);
}

function readUnion(reader: TokenReader): Combination {
  let left = readIntersection(reader);
  while (reader.accepts('UNION')) {
    left = { kind: 'union', left, right: readIntersection(reader) };
  }
  return left;
}

function readIntersection(reader: TokenReader): Combination {
  let left = readDifference(reader);
  while (reader.accepts('INTERSECT')) {
    left = { kind: 'intersect', left, right: readDifference(reader) };
  }
  return left;
}

function readDifference(reader: TokenReader): Combination {
  const left = readSet(reader);
  if (!reader.accepts('SUBTRACT')) return left;
  const right = reader.nested(() => readDifference(reader), NOTHING);
  return { kind: 'subtract', left, right };
}

function readSet(reader: TokenReader): Combination {
  if (!reader.accepts('(')) return { kind: 'range', tag: reader.tag() };
  const set = reader.nested(() => readUnion(reader), NOTHING);
  reader.expect(')');
  return set;
}
