/**
 * Expressions evaluated the plain way: a map of attributes, a case for each function.
 *
 * Written from the rules alone, for tests to compare with. Strings are ASCII here, one character a
 * byte.
 */

import type { MathOperand, Stage } from '../../src/query/evaluation.ts';
import type { Condition, Operand } from '../../src/query/filter.ts';

type Plain = string | bigint | readonly string[];
type Attributes = ReadonlyMap<string, Plain>;

export interface Entry {
  readonly term: string;
  readonly key: string;
}

export function evaluateNaively(stages: readonly Stage[], { term, key }: Entry): Attributes {
  let attributes: Attributes = new Map([
    ['term', term],
    ['key', key],
  ]);
  for (const stage of stages) {
    attributes = new Map([...attributes, ...resultsOf(stage, attributes)]);
  }
  return attributes;
}

type Results = readonly (readonly [name: string, value: Plain])[];

function resultsOf(stage: Stage, attributes: Attributes): Results {
  switch (stage.kind) {
    case 'join': {
      const values = stage.inputs.map((name) => attributes.get(name) ?? '');
      const joined = values.filter((value) => typeof value === 'string').join(stage.delimiter);
      return [[stage.output, joined]];
    }
    case 'add':
    case 'subtract': {
      const x = numberOf(stage.x, attributes);
      const y = numberOf(stage.y, attributes);
      if (x === undefined || y === undefined) return [];
      return [[stage.output, stage.kind === 'add' ? x + y : x - y]];
    }
    case 'delim':
    case 'split':
    case 'slice':
    case 'index':
    case 'kvsplit':
    case 'regex':
    case 'map':
    case 'to_integer':
    case 'to_string':
      return ofInput(stage, attributes.get(stage.input));
  }
}

type StageWithInput = Extract<Stage, { readonly input: string }>;

function ofInput(stage: StageWithInput, input: Plain | undefined): Results {
  if (input === undefined) return [];
  if (stage.kind === 'map') return mapped(stage, input);
  if (typeof input === 'bigint') {
    if (stage.kind === 'to_integer') return [[stage.output, input]];
    return stage.kind === 'to_string' ? [[stage.output, `${input}`]] : [];
  }
  return typeof input === 'string' ? ofString(stage, input) : [];
}

function numberOf(operand: MathOperand, attributes: Attributes): bigint | undefined {
  if (operand.kind === 'integer') return BigInt(operand.value);
  const value = attributes.get(operand.name);
  return typeof value === 'bigint' ? value : undefined;
}

function mapped(stage: Extract<Stage, { kind: 'map' }>, input: Plain): Results {
  if (typeof input === 'object') return [];
  for (const { limit, result } of stage.mappings) {
    if (compares(input, stage.comparator, plain(limit))) return [[stage.output, plain(result)]];
  }
  return [[stage.output, plain(stage.otherwise)]];
}

function ofString(stage: StageWithInput, input: string): Results {
  switch (stage.kind) {
    case 'delim': {
      const parts = input.split(stage.delimiter);
      const count = Math.min(parts.length, stage.outputs.length);
      return parts.slice(0, count).map((part, index) => [stage.outputs[index] ?? '', part]);
    }
    case 'split':
      return [[stage.output, input.split(stage.delimiter)]];
    case 'slice': {
      const pieces = Array.from({ length: Math.floor(input.length / stage.width) }, (_, index) =>
        input.substring(index * stage.width, (index + 1) * stage.width),
      );
      return [[stage.output, pieces]];
    }
    case 'index': {
      const end = stage.position + stage.length;
      return end > input.length ? [] : [[stage.output, input.substring(stage.position, end)]];
    }
    case 'kvsplit':
      return input
        .split(stage.pairDelimiter)
        .map((pair) => pair.split(stage.valueDelimiter))
        .filter((pair) => pair.length === 2)
        .map(([name = '', value = '']) => [name, value]);
    case 'to_integer': {
      const digits = /^[-+]?[0-9]+/.exec(input)?.[0];
      return digits === undefined ? [] : [[stage.output, BigInt(digits.replace('+', ''))]];
    }
    case 'to_string':
      return [[stage.output, input]];
    case 'map':
    case 'regex':
      return [];
  }
}

export function holdsNaively(condition: Condition, attributes: Attributes): boolean {
  switch (condition.kind) {
    case 'all':
      return !condition.conditions.some((one) => !holdsNaively(one, attributes));
    case 'any':
      return condition.conditions.some((one) => holdsNaively(one, attributes));
    case 'not':
      return !holdsNaively(condition.condition, attributes);
    case 'compare':
      return compares(
        valueOf(condition.left, attributes),
        condition.comparator,
        valueOf(condition.right, attributes),
      );
    case 'between': {
      const value = valueOf(condition.operand, attributes);
      const [one, other] = condition.bounds.map((bound) => valueOf(bound, attributes));
      return (
        (compares(one, '<=', value) && compares(value, '<=', other)) ||
        (compares(other, '<=', value) && compares(value, '<=', one))
      );
    }
    case 'in-list': {
      const value = valueOf(condition.operand, attributes);
      return condition.members.some((one) => compares(value, '=', valueOf(one, attributes)));
    }
    case 'in-attribute': {
      const value = valueOf(condition.operand, attributes);
      const list = attributes.get(condition.list);
      return typeof value === 'string' && typeof list === 'object' && list.includes(value);
    }
    case 'attribute_exists':
    case 'attribute_not_exists':
    case 'attribute_empty':
    case 'begins_with':
    case 'ends_with':
    case 'contains':
      return testAttribute(condition, attributes.get(condition.name));
  }
}

function testAttribute(
  condition: Extract<Condition, { name: string }>,
  value: Plain | undefined,
): boolean {
  switch (condition.kind) {
    case 'attribute_exists':
      return value !== undefined;
    case 'attribute_not_exists':
      return value === undefined;
    case 'attribute_empty':
      return value === '';
    case 'begins_with':
      return (
        typeof value === 'string' && value.substring(0, condition.part.length) === condition.part
      );
    case 'ends_with':
      return typeof value === 'string' && new RegExp(`${condition.part}$`).test(value);
    case 'contains':
      return typeof value === 'string' && value.indexOf(condition.part) >= 0;
  }
}

function valueOf(operand: Operand, attributes: Attributes): Plain | undefined {
  return operand.kind === 'literal' ? plain(operand.value) : attributes.get(operand.name);
}

function plain(value: string | number | bigint): string | bigint {
  return typeof value === 'string' ? value : BigInt(value);
}

function compares(left: Plain | undefined, comparator: string, right: Plain | undefined): boolean {
  if (typeof left === 'object' || typeof left !== typeof right) return false;
  if (left === undefined || right === undefined) return false;
  switch (comparator) {
    case '=':
      return left === right;
    case '<>':
      return left !== right;
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    default:
      return left >= right;
  }
}
