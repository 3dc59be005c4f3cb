/**
 * Filter conditions as functions over the slots of one entry.
 */

import { unreachable } from '../base/fault.ts';
import { compareFunction } from './comparison.ts';
import { compareValues } from './value.ts';
import type { AttributeTable, Slots } from './attributes.ts';
import type { Condition, Operand, TextTest } from './filter.ts';
import type { Value } from './value.ts';

export type Test = (slots: Slots) => boolean;

type Reading = (slots: Slots) => Value;

export function compileFilter(condition: Condition, table: AttributeTable): Test {
  switch (condition.kind) {
    case 'compare':
      return compileCompare(condition, table);
    case 'between':
      return compileBetween(condition, table);
    case 'in-list': {
      const read = compileOperand(condition.operand, table);
      const members = condition.members.map((member) => compileOperand(member, table));
      return (slots) => {
        const value = read(slots);
        return members.some((member) => compareValues(value, member(slots)) === 0);
      };
    }
    case 'in-attribute': {
      const read = compileOperand(condition.operand, table);
      const list = table.slotOf(condition.list);
      return (slots) => isMember(read(slots), slots[list]);
    }
    case 'begins_with':
    case 'ends_with':
    case 'contains':
      return compileTextTest(condition.kind, table.slotOf(condition.name), condition.part);
    case 'attribute_exists': {
      const slot = table.slotOf(condition.name);
      return (slots) => slots[slot] !== undefined;
    }
    case 'attribute_not_exists': {
      const slot = table.slotOf(condition.name);
      return (slots) => slots[slot] === undefined;
    }
    case 'attribute_empty': {
      const slot = table.slotOf(condition.name);
      return (slots) => slots[slot] === '';
    }
    case 'all': {
      const tests = condition.conditions.map((one) => compileFilter(one, table));
      return (slots) => tests.every((test) => test(slots));
    }
    case 'any': {
      const tests = condition.conditions.map((one) => compileFilter(one, table));
      return (slots) => tests.some((test) => test(slots));
    }
    case 'not': {
      const test = compileFilter(condition.condition, table);
      return (slots) => !test(slots);
    }
    default:
      return unreachable(condition);
  }
}

function compileOperand(operand: Operand, table: AttributeTable): Reading {
  if (operand.kind === 'literal') return () => operand.value;
  const slot = table.slotOf(operand.name);
  return (slots) => slots[slot];
}

function compileCompare(
  condition: Extract<Condition, { readonly kind: 'compare' }>,
  table: AttributeTable,
): Test {
  const compares = compareFunction(condition.comparator);
  const left = compileOperand(condition.left, table);
  const right = compileOperand(condition.right, table);
  return (slots) => compares(left(slots), right(slots));
}

function compileBetween(
  condition: Extract<Condition, { readonly kind: 'between' }>,
  table: AttributeTable,
): Test {
  const read = compileOperand(condition.operand, table);
  const [first, second] = condition.bounds.map((bound) => compileOperand(bound, table)) as [
    Reading,
    Reading,
  ];
  return (slots) => {
    const value = read(slots);
    const toFirst = compareValues(value, first(slots));
    const toSecond = compareValues(value, second(slots));
    if (toFirst === undefined || toSecond === undefined) return false;
    return (toFirst >= 0 && toSecond <= 0) || (toFirst <= 0 && toSecond >= 0);
  };
}

function isMember(value: Value, list: Value): boolean {
  return typeof value === 'string' && Array.isArray(list) && list.includes(value);
}

function compileTextTest(kind: TextTest, slot: number, part: string): Test {
  const holds = TEXT_TESTS[kind];
  return (slots) => {
    const text = slots[slot];
    return typeof text === 'string' && holds(text, part);
  };
}

const TEXT_TESTS: Readonly<Record<TextTest, (text: string, part: string) => boolean>> = {
  begins_with: (text, part) => text.startsWith(part),
  ends_with: (text, part) => text.endsWith(part),
  contains: (text, part) => text.includes(part),
};
