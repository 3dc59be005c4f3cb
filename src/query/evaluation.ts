/**
 * Evaluation expressions: how attributes are got out of a composite index term.
 *
 * A pipeline `f(…) | g(…) | …`. Every entry starts with the attributes `$term` and `$key`; each
 * function reads attributes that are there and sets others. A function whose input is absent or of the
 * wrong type changes nothing.
 *
 *   | delim($in, "|", ($a, $b))         | the parts between delimiters, in order |
 *   | split($in, ".", $list)            | all parts, as a list |
 *   | slice($in, 2, $list)              | pieces of equal length, as a list |
 *   | index($in, 4, 2, $out)            | 2 characters from position 4 |
 *   | kvsplit($in, "#", "=")            | an attribute for each `name=value` |
 *   | regex($in, "(?P<a>…)", ($a))      | what the named groups captured, if all did |
 *   | join(($a, $b), "|", $out)         | strings put together |
 *   | map($in, <=, (("M", "1")), "2", $out) | the value of the first pair that compares, or the default |
 *   | to_integer($in, $out), to_string($in, $out) | |
 *   | add($x, 1, $out), subtract($x, $y, $out) | |
 */

import { STAGES_MAX } from './limits.ts';
import { compileTermRegex } from './term-regex.ts';
import { TokenReader } from './tokens.ts';
import type { ByteString } from '../base/bytes.ts';
import type { TermRegex } from './term-regex.ts';
import type { Comparator, Parsed, Substitutions } from './tokens.ts';
import type { Integer, Scalar } from './value.ts';

export type MathOperand =
  | { readonly kind: 'attribute'; readonly name: string }
  | { readonly kind: 'integer'; readonly value: Integer };

export interface Mapping {
  readonly limit: Scalar;
  readonly result: Scalar;
}

export type Stage =
  | {
      readonly kind: 'delim';
      readonly input: string;
      readonly delimiter: ByteString;
      readonly outputs: readonly string[];
    }
  | {
      readonly kind: 'join';
      readonly inputs: readonly string[];
      readonly delimiter: ByteString;
      readonly output: string;
    }
  | {
      readonly kind: 'split';
      readonly input: string;
      readonly delimiter: ByteString;
      readonly output: string;
    }
  | {
      readonly kind: 'slice';
      readonly input: string;
      readonly width: number;
      readonly output: string;
    }
  | {
      readonly kind: 'index';
      readonly input: string;
      readonly position: number;
      readonly length: number;
      readonly output: string;
    }
  | {
      readonly kind: 'kvsplit';
      readonly input: string;
      readonly pairDelimiter: ByteString;
      readonly valueDelimiter: ByteString;
    }
  | {
      readonly kind: 'regex';
      readonly input: string;
      readonly regex: TermRegex;
      /** The number of the group that each attribute takes. */
      readonly outputs: readonly { readonly name: string; readonly group: number }[];
    }
  | {
      readonly kind: 'map';
      readonly input: string;
      readonly comparator: Comparator;
      readonly mappings: readonly Mapping[];
      readonly otherwise: Scalar;
      readonly output: string;
    }
  | { readonly kind: 'to_integer' | 'to_string'; readonly input: string; readonly output: string }
  | {
      readonly kind: 'add' | 'subtract';
      readonly x: MathOperand;
      readonly y: MathOperand;
      readonly output: string;
    };

/** What stands for a stage that could not be read; the fault is with the reader. */
const NO_STAGE: Stage = { kind: 'to_string', input: '', output: '' };

export function parseEvaluation(
  text: string,
  substitutions: Substitutions,
): Parsed<readonly Stage[]> {
  const reader = new TokenReader(text, substitutions);
  const stages: Stage[] = [];
  do {
    if (stages.length === STAGES_MAX) reader.failBecause(`more than ${STAGES_MAX} functions`);
    stages.push(readStage(reader));
  } while (reader.accepts('|'));
  return reader.finish(stages);
}

function readStage(reader: TokenReader): Stage {
  const read = STAGE_READERS.find(({ name }) => reader.accepts(name))?.read;
  if (read === undefined) {
    reader.fail(`a function: ${STAGE_READERS.map(({ name }) => name).join(', ')}`);
    return NO_STAGE;
  }
  reader.expect('(');
  const stage = read(reader);
  reader.expect(')');
  return stage;
}

/** Each reads what stands between the function's parentheses. */
const STAGE_READERS: readonly {
  readonly name: Stage['kind'];
  readonly read: (reader: TokenReader) => Stage;
}[] = [
  { name: 'delim', read: readDelim },
  { name: 'join', read: readJoin },
  { name: 'split', read: readSplit },
  { name: 'slice', read: readSlice },
  { name: 'index', read: readIndex },
  { name: 'kvsplit', read: readKvsplit },
  { name: 'regex', read: readRegex },
  { name: 'map', read: readMap },
  { name: 'to_integer', read: (reader) => readConversion(reader, 'to_integer') },
  { name: 'to_string', read: (reader) => readConversion(reader, 'to_string') },
  { name: 'add', read: (reader) => readSum(reader, 'add') },
  { name: 'subtract', read: (reader) => readSum(reader, 'subtract') },
];

function then<T>(reader: TokenReader, read: () => T): T {
  reader.expect(',');
  return read();
}

function readDelim(reader: TokenReader): Stage {
  const input = reader.attribute();
  const delimiter = then(reader, () => reader.delimiter());
  const outputs = then(reader, () => reader.list(() => reader.attribute()));
  return { kind: 'delim', input, delimiter, outputs };
}

function readJoin(reader: TokenReader): Stage {
  const inputs = reader.list(() => reader.attribute());
  const delimiter = then(reader, () => reader.string());
  const output = then(reader, () => reader.attribute());
  return { kind: 'join', inputs, delimiter, output };
}

function readSplit(reader: TokenReader): Stage {
  const input = reader.attribute();
  const delimiter = then(reader, () => reader.delimiter());
  const output = then(reader, () => reader.attribute());
  return { kind: 'split', input, delimiter, output };
}

function readSlice(reader: TokenReader): Stage {
  const input = reader.attribute();
  const width = then(reader, () => reader.count(1));
  const output = then(reader, () => reader.attribute());
  return { kind: 'slice', input, width, output };
}

function readIndex(reader: TokenReader): Stage {
  const input = reader.attribute();
  const position = then(reader, () => reader.count(0));
  const length = then(reader, () => reader.count(1));
  const output = then(reader, () => reader.attribute());
  return { kind: 'index', input, position, length, output };
}

function readKvsplit(reader: TokenReader): Stage {
  const input = reader.attribute();
  const pairDelimiter = then(reader, () => reader.delimiter());
  const valueDelimiter = then(reader, () => reader.delimiter());
  return { kind: 'kvsplit', input, pairDelimiter, valueDelimiter };
}

/** `regex($in, "…", ($a))`; before the list may stand `pcre`, which changes nothing. */
function readRegex(reader: TokenReader): Stage {
  const input = reader.attribute();
  reader.expect(',');
  const compiled = compileTermRegex(reader.string());
  if ('reason' in compiled) reader.failBefore(`invalid regular expression: ${compiled.reason}`);
  reader.expect(',');
  if (reader.accepts('pcre')) reader.expect(',');
  let count = 0;
  const outputs = reader.list(() => {
    count += 1;
    const name = reader.attribute();
    const group = 'regex' in compiled ? findGroup(compiled.regex, name, count) : undefined;
    if (group === undefined) reader.failBefore(`the regular expression has no group for $${name}`);
    return { name, group: group ?? 0 };
  });
  return 'regex' in compiled ? { kind: 'regex', input, regex: compiled.regex, outputs } : NO_STAGE;
}

/** By name; in an expression without any names, by place. */
function findGroup(regex: TermRegex, name: string, place: number): number | undefined {
  if (regex.hasNamedGroups) return regex.groupNamed(name);
  return place <= regex.groupCount ? place : undefined;
}

function readMap(reader: TokenReader): Stage {
  const input = reader.attribute();
  reader.expect(',');
  const comparator = reader.comparator();
  if (comparator === undefined) reader.fail('a comparator');
  const mappings = then(reader, () => reader.list(() => readMapping(reader)));
  const otherwise = then(reader, () => reader.literal());
  const output = then(reader, () => reader.attribute());
  return { kind: 'map', input, comparator: comparator ?? '=', mappings, otherwise, output };
}

function readMapping(reader: TokenReader): Mapping {
  reader.expect('(');
  const limit = reader.literal();
  const result = then(reader, () => reader.literal());
  reader.expect(')');
  return { limit, result };
}

function readConversion(reader: TokenReader, kind: 'to_integer' | 'to_string'): Stage {
  const input = reader.attribute();
  const output = then(reader, () => reader.attribute());
  return { kind, input, output };
}

function readSum(reader: TokenReader, kind: 'add' | 'subtract'): Stage {
  const x = readMathOperand(reader);
  const y = then(reader, () => readMathOperand(reader));
  const output = then(reader, () => reader.attribute());
  return { kind, x, y, output };
}

function readMathOperand(reader: TokenReader): MathOperand {
  return reader.isAtAttribute()
    ? { kind: 'attribute', name: reader.attribute() }
    : { kind: 'integer', value: reader.integer('an attribute or an integer') };
}
