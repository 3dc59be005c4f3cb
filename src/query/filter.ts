/**
 * Filter expressions: which entries of an index range are matches.
 *
 *   condition  = operand comparator operand
 *              | operand BETWEEN operand AND operand      either bound may be the lower
 *              | operand IN ( operand, … ) | operand IN $list
 *              | begins_with|ends_with|contains ( $name, string )
 *              | attribute_exists|attribute_not_exists|attribute_empty ( $name )
 *              | NOT condition | condition AND condition | condition OR condition | ( condition )
 *
 * NOT binds before AND, AND before OR. What compares an attribute that an entry lacks, or a string with
 * an integer, is false; so is `<>`.
 */

import { TokenReader } from './tokens.ts';
import type { ByteString } from '../base/bytes.ts';
import type { Comparator, Parsed, Substitutions } from './tokens.ts';
import type { Scalar } from './value.ts';

export type Operand =
  | { readonly kind: 'attribute'; readonly name: string }
  | { readonly kind: 'literal'; readonly value: Scalar };

export type Condition =
  | {
      readonly kind: 'compare';
      readonly comparator: Comparator;
      readonly left: Operand;
      readonly right: Operand;
    }
  | {
      readonly kind: 'between';
      readonly operand: Operand;
      readonly bounds: readonly [Operand, Operand];
    }
  | { readonly kind: 'in-list'; readonly operand: Operand; readonly members: readonly Operand[] }
  | { readonly kind: 'in-attribute'; readonly operand: Operand; readonly list: string }
  | { readonly kind: TextTest; readonly name: string; readonly part: ByteString }
  | { readonly kind: AttributeTest; readonly name: string }
  | { readonly kind: 'all' | 'any'; readonly conditions: readonly Condition[] }
  | { readonly kind: 'not'; readonly condition: Condition };

export type TextTest = 'begins_with' | 'ends_with' | 'contains';
export type AttributeTest = 'attribute_exists' | 'attribute_not_exists' | 'attribute_empty';

const NEVER: Condition = { kind: 'any', conditions: [] };
const NOTHING: Operand = { kind: 'literal', value: 0 };

export function parseFilter(text: string, substitutions: Substitutions): Parsed<Condition> {
  const reader = new TokenReader(text, substitutions);
  return reader.finish(readAny(reader));
}

function readAny(reader: TokenReader): Condition {
  const conditions = [readAll(reader)];
  while (reader.accepts('OR')) conditions.push(readAll(reader));
  return joined('any', conditions);
}

function readAll(reader: TokenReader): Condition {
  const conditions = [readOne(reader)];
  while (reader.accepts('AND')) conditions.push(readOne(reader));
  return joined('all', conditions);
}

function joined(kind: 'all' | 'any', conditions: readonly Condition[]): Condition {
  const [only] = conditions;
  return conditions.length === 1 && only !== undefined ? only : { kind, conditions };
}

function readOne(reader: TokenReader): Condition {
  if (reader.accepts('NOT')) {
    const condition = reader.nested(() => readOne(reader), NEVER);
    return { kind: 'not', condition };
  }
  if (reader.accepts('(')) {
    const condition = reader.nested(() => readAny(reader), NEVER);
    reader.expect(')');
    return condition;
  }
  if (reader.isAtAttribute() || reader.isAtLiteral()) return readComparison(reader);
  return readFunction(reader);
}

function readComparison(reader: TokenReader): Condition {
  const operand = readOperand(reader);
  const comparator = reader.comparator();
  if (comparator !== undefined) {
    return { kind: 'compare', comparator, left: operand, right: readOperand(reader) };
  }
  if (reader.accepts('BETWEEN')) {
    const bound = readOperand(reader);
    if (!reader.accepts('AND')) reader.fail('AND');
    return { kind: 'between', operand, bounds: [bound, readOperand(reader)] };
  }
  if (reader.accepts('IN')) {
    return reader.isAtAttribute()
      ? { kind: 'in-attribute', operand, list: reader.attribute() }
      : { kind: 'in-list', operand, members: reader.list(() => readOperand(reader)) };
  }
  reader.fail('a comparator, BETWEEN or IN');
  return NEVER;
}

function readOperand(reader: TokenReader): Operand {
  if (reader.isAtAttribute()) return { kind: 'attribute', name: reader.attribute() };
  if (reader.isAtLiteral()) return { kind: 'literal', value: reader.literal() };
  reader.fail('an attribute, a string or an integer');
  return NOTHING;
}

const FUNCTIONS =
  'a condition: NOT, (, an operand, begins_with, ends_with, contains, attribute_exists, ' +
  'attribute_not_exists or attribute_empty';

function readFunction(reader: TokenReader): Condition {
  for (const kind of ['begins_with', 'ends_with', 'contains'] as const) {
    if (!reader.accepts(kind)) continue;
    reader.expect('(');
    const name = reader.attribute();
    reader.expect(',');
    const part = reader.string();
    reader.expect(')');
    return { kind, name, part };
  }
  for (const kind of ['attribute_exists', 'attribute_not_exists', 'attribute_empty'] as const) {
    if (!reader.accepts(kind)) continue;
    reader.expect('(');
    const name = reader.attribute();
    reader.expect(')');
    return { kind, name };
  }
  reader.fail(FUNCTIONS);
  return NEVER;
}
