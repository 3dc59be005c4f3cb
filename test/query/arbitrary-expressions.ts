/**
 * Arbitrary expressions, as trees and as the text that means them; and terms that they fit.
 */

import fc from 'fast-check';
import { canonicalInteger } from '../../src/query/value.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { MathOperand, Stage } from '../../src/query/evaluation.ts';
import type { Condition, Operand } from '../../src/query/filter.ts';
import type { Scalar } from '../../src/query/value.ts';

/** Few names and few letters, so that things meet. */
const name = fc.constantFrom('term', 'key', 'a', 'b', 'c', 'd');
const text = fc.string({
  unit: fc.constantFrom('a', 'b', '1', '2', '|', '='),
  maxLength: 4,
}) as fc.Arbitrary<ByteString>;
const delimiter = fc.constantFrom('|', '=', 'a', '1|') as fc.Arbitrary<ByteString>;
const integer = fc
  .oneof(fc.bigInt(-20n, 20n), fc.bigInt(-(10n ** 20n), 10n ** 20n))
  .map(canonicalInteger);
const scalar: fc.Arbitrary<Scalar> = fc.oneof(text, integer);
const comparator = fc.constantFrom('=', '<>', '<', '<=', '>', '>=');
const names = fc.array(name, { minLength: 1, maxLength: 4 });

export const entry = fc.record({
  term: fc.string({ unit: fc.constantFrom('a', 'b', '1', '2', '|', '=', '-'), maxLength: 16 }),
  key: fc.string({ unit: fc.constantFrom('1', '2', 'a'), minLength: 1, maxLength: 3 }),
});

const mathOperand: fc.Arbitrary<MathOperand> = fc.oneof(
  fc.record({ kind: fc.constant('attribute'), name }),
  fc.record({ kind: fc.constant('integer'), value: integer }),
);

const stage: fc.Arbitrary<Stage> = fc.oneof(
  fc.record({ kind: fc.constant('delim'), input: name, delimiter, outputs: names }),
  fc.record({ kind: fc.constant('join'), inputs: names, delimiter: text, output: name }),
  fc.record({ kind: fc.constant('split'), input: name, delimiter, output: name }),
  fc.record({
    kind: fc.constant('slice'),
    input: name,
    width: fc.integer({ min: 1, max: 4 }),
    output: name,
  }),
  fc.record({
    kind: fc.constant('index'),
    input: name,
    position: fc.nat({ max: 6 }),
    length: fc.integer({ min: 1, max: 4 }),
    output: name,
  }),
  fc.record({
    kind: fc.constant('kvsplit'),
    input: name,
    pairDelimiter: delimiter,
    valueDelimiter: delimiter,
  }),
  fc.record({
    kind: fc.constant('map'),
    input: name,
    comparator,
    mappings: fc.array(fc.record({ limit: scalar, result: scalar }), {
      minLength: 1,
      maxLength: 3,
    }),
    otherwise: scalar,
    output: name,
  }),
  fc.record({
    kind: fc.constantFrom('to_integer', 'to_string'),
    input: name,
    output: name,
  }),
  fc.record({
    kind: fc.constantFrom('add', 'subtract'),
    x: mathOperand,
    y: mathOperand,
    output: name,
  }),
);

export const evaluation = fc.array(stage, { minLength: 1, maxLength: 6 });

const operand: fc.Arbitrary<Operand> = fc.oneof(
  fc.record({ kind: fc.constant('attribute'), name }),
  fc.record({ kind: fc.constant('literal'), value: scalar }),
);

export const filter: fc.Arbitrary<Condition> = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ kind: fc.constant('compare'), comparator, left: operand, right: operand }),
    fc.record({ kind: fc.constant('between'), operand, bounds: fc.tuple(operand, operand) }),
    fc.record({
      kind: fc.constant('in-list'),
      operand,
      members: fc.array(operand, { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('in-attribute'), operand, list: name }),
    fc.record({
      kind: fc.constantFrom('begins_with', 'contains'),
      name,
      part: text,
    }),
    fc.record({
      kind: fc.constant('ends_with'),
      name,
      part: fc.constantFrom('a', '1', 'b2', '') as fc.Arbitrary<ByteString>,
    }),
    fc.record({
      kind: fc.constantFrom('attribute_exists', 'attribute_not_exists', 'attribute_empty'),
      name,
    }),
    fc.record({ kind: fc.constant('not'), condition: tie('condition') }),
    fc.record({
      kind: fc.constantFrom('all', 'any'),
      conditions: fc.array(tie('condition'), { minLength: 2, maxLength: 3 }),
    }),
  ) as fc.Arbitrary<Condition>,
})).condition;

function shown(value: Scalar): string {
  return typeof value === 'string' ? `"${value}"` : `${value}`;
}

function list(items: readonly string[]): string {
  return `(${items.join(', ')})`;
}

function attributes(items: readonly string[]): string {
  return list(items.map((item) => `$${item}`));
}

export function evaluationText(stages: readonly Stage[]): string {
  return stages.map((one) => `${one.kind}${list(parametersOf(one))}`).join(' | ');
}

function parametersOf(one: Stage): readonly string[] {
  switch (one.kind) {
    case 'delim':
      return [`$${one.input}`, shown(one.delimiter), attributes(one.outputs)];
    case 'join':
      return [attributes(one.inputs), shown(one.delimiter), `$${one.output}`];
    case 'split':
      return [`$${one.input}`, shown(one.delimiter), `$${one.output}`];
    case 'slice':
      return [`$${one.input}`, `${one.width}`, `$${one.output}`];
    case 'index':
      return [`$${one.input}`, `${one.position}`, `${one.length}`, `$${one.output}`];
    case 'kvsplit':
      return [`$${one.input}`, shown(one.pairDelimiter), shown(one.valueDelimiter)];
    case 'regex':
      return [`$${one.input}`, '""', attributes(one.outputs.map((output) => output.name))];
    case 'map': {
      const mappings = one.mappings.map(({ limit, result }) => list([shown(limit), shown(result)]));
      const end = [list(mappings), shown(one.otherwise), `$${one.output}`];
      return [`$${one.input}`, one.comparator, ...end];
    }
    case 'to_integer':
    case 'to_string':
      return [`$${one.input}`, `$${one.output}`];
    case 'add':
    case 'subtract':
      return [mathText(one.x), mathText(one.y), `$${one.output}`];
  }
}

function mathText(one: MathOperand): string {
  return one.kind === 'attribute' ? `$${one.name}` : `${one.value}`;
}

function operandText(one: Operand): string {
  return one.kind === 'attribute' ? `$${one.name}` : shown(one.value);
}

/** With parentheses around all that is put together. */
export function filterText(condition: Condition): string {
  switch (condition.kind) {
    case 'compare': {
      const { left, comparator, right } = condition;
      return `${operandText(left)} ${comparator} ${operandText(right)}`;
    }
    case 'between': {
      const bounds = condition.bounds.map(operandText).join(' AND ');
      return `${operandText(condition.operand)} BETWEEN ${bounds}`;
    }
    case 'in-list':
      return `${operandText(condition.operand)} IN ${list(condition.members.map(operandText))}`;
    case 'in-attribute':
      return `${operandText(condition.operand)} IN $${condition.list}`;
    case 'begins_with':
    case 'ends_with':
    case 'contains':
      return `${condition.kind}($${condition.name}, "${condition.part}")`;
    case 'attribute_exists':
    case 'attribute_not_exists':
    case 'attribute_empty':
      return `${condition.kind}($${condition.name})`;
    case 'not':
      return `NOT (${filterText(condition.condition)})`;
    case 'all':
    case 'any': {
      const word = condition.kind === 'all' ? ' AND ' : ' OR ';
      return condition.conditions.map((one) => `(${filterText(one)})`).join(word);
    }
  }
}
