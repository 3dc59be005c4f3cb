/**
 * Evaluation pipelines as functions: each stage becomes one closure over the slots it reads and sets.
 *
 * A stage whose input is absent or of the wrong type leaves the slots as they are. Positions and
 * lengths count characters where the bytes are UTF-8, else bytes.
 */

import { byteStringToUtf8, utf8ToByteString } from '../base/bytes.ts';
import { unreachable } from '../base/fault.ts';
import { compareFunction } from './comparison.ts';
import { INTEGER_DIGITS_MAX, VALUE_SIZE_MAX } from './limits.ts';
import { canonicalInteger, isInteger, valueToText } from './value.ts';
import type { Allowance } from '../base/turns.ts';
import type { ByteString } from '../base/bytes.ts';
import type { AttributeTable, Slots } from './attributes.ts';
import type { MathOperand, Stage } from './evaluation.ts';
import type { Integer } from './value.ts';

export type Step = (slots: Slots) => void;

export interface EvaluationScope {
  readonly table: AttributeTable;
  /** What is left for the entry that is judged. */
  readonly allowance: Allowance;
}

const STAGE_UNITS = 8;
/** Cutting text that is not ASCII into characters is the dearest. */
const UNITS_PER_BYTE = 8;

type StageOf<Kind extends Stage['kind']> = Extract<Stage, { readonly kind: Kind }>;

export function compileEvaluation(
  stages: readonly Stage[],
  scope: EvaluationScope,
): readonly Step[] {
  return stages.map((stage) => metered(stage, compileStage(stage, scope), scope));
}

/**
 * A stage that costs more than is left of the entry's allowance, or whose text is longer than a value
 * may be, leaves the slots as they are, and the entry is not judged.
 */
function metered(stage: Stage, step: Step, { table, allowance }: EvaluationScope): Step {
  const input = 'input' in stage ? table.slotOf(stage.input) : undefined;
  const output = 'output' in stage ? table.slotOf(stage.output) : undefined;
  return (slots) => {
    const text = input === undefined ? undefined : slots[input];
    const length = typeof text === 'string' ? text.length : 0;
    if (length > VALUE_SIZE_MAX) allowance.overrun();
    if (allowance.isOverrun || !allowance.take(STAGE_UNITS + length * UNITS_PER_BYTE)) return;
    step(slots);
    // What a join makes can be far longer than what it is made of.
    const made = input === undefined && output !== undefined ? slots[output] : undefined;
    if (typeof made === 'string') allowance.take(made.length);
  };
}

function compileStage(stage: Stage, { table, allowance }: EvaluationScope): Step {
  switch (stage.kind) {
    case 'delim':
      return compileDelim(stage, table);
    case 'join':
      return compileJoin(stage, table, allowance);
    case 'split':
    case 'slice':
    case 'index':
      return compileCut(stage, table);
    case 'kvsplit':
      return compileKvsplit(stage, table);
    case 'regex':
      return compileRegex(stage, table, allowance);
    case 'map':
      return compileMap(stage, table);
    case 'to_integer':
      return compileToInteger(stage, table);
    case 'to_string':
      return compileToString(stage, table);
    case 'add':
    case 'subtract':
      return compileSum(stage, table);
    default:
      return unreachable(stage);
  }
}

function compileDelim(stage: StageOf<'delim'>, table: AttributeTable): Step {
  const input = table.slotOf(stage.input);
  const outputs = stage.outputs.map((name) => table.slotOf(name));
  const { delimiter } = stage;
  return (slots) => {
    const text = slots[input];
    if (typeof text !== 'string') return;
    let start = 0;
    for (const output of outputs) {
      const end = text.indexOf(delimiter, start);
      slots[output] = (end < 0 ? text.slice(start) : text.slice(start, end)) as ByteString;
      if (end < 0) return;
      start = end + delimiter.length;
    }
  };
}

/** Absent attributes count as empty, integers and lists are left out. */
function compileJoin(stage: StageOf<'join'>, table: AttributeTable, allowance: Allowance): Step {
  const inputs = stage.inputs.map((name) => table.slotOf(name));
  const output = table.slotOf(stage.output);
  const { delimiter } = stage;
  return (slots) => {
    const parts: string[] = [];
    let size = 0;
    for (const input of inputs) {
      const part = slots[input] ?? '';
      if (typeof part !== 'string') continue;
      parts.push(part);
      size += part.length + delimiter.length;
    }
    if (size <= VALUE_SIZE_MAX) slots[output] = parts.join(delimiter) as ByteString;
    else allowance.overrun();
  };
}

/** `split`, `slice` and `index`: one string in, strings out. */
function compileCut(stage: StageOf<'split' | 'slice' | 'index'>, table: AttributeTable): Step {
  const input = table.slotOf(stage.input);
  const output = table.slotOf(stage.output);
  const cut = cutFunction(stage);
  return (slots) => {
    const text = slots[input];
    const result = typeof text === 'string' ? cut(text) : undefined;
    if (result !== undefined) slots[output] = result;
  };
}

function cutFunction(
  stage: StageOf<'split' | 'slice' | 'index'>,
): (text: ByteString) => ByteString | readonly ByteString[] | undefined {
  switch (stage.kind) {
    case 'split':
      return (text) => text.split(stage.delimiter) as ByteString[];
    case 'slice':
      return (text) => sliced(text, stage.width);
    case 'index': {
      const { position, length } = stage;
      return (text) => {
        if (text.length < position + length) return undefined;
        if (isAscii(text)) return text.slice(position, position + length) as ByteString;
        const part = charactersOf(text).slice(position, position + length);
        return part.length < length ? undefined : (part.join('') as ByteString);
      };
    }
    default:
      return unreachable(stage);
  }
}

/** Pieces of `width` characters; what is left at the end is not enough for one and dropped. */
function sliced(text: ByteString, width: number): ByteString[] {
  const characters = isAscii(text) ? text : charactersOf(text);
  const pieces: ByteString[] = [];
  for (let end = width; end <= characters.length; end += width) {
    const piece = characters.slice(end - width, end);
    pieces.push((typeof piece === 'string' ? piece : piece.join('')) as ByteString);
  }
  return pieces;
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) > 0x7f) return false;
  }
  return true;
}

/** The bytes of each character, or each byte where `text` is not UTF-8. */
function charactersOf(text: ByteString): readonly string[] {
  const characters = Array.from(byteStringToUtf8(text), utf8ToByteString);
  return characters.join('') === text ? characters : text.split('');
}

/** Pairs without exactly one delimiter are passed over; so are names that no expression uses. */
function compileKvsplit(stage: StageOf<'kvsplit'>, table: AttributeTable): Step {
  const input = table.slotOf(stage.input);
  const { pairDelimiter, valueDelimiter } = stage;
  return (slots) => {
    const text = slots[input];
    if (typeof text !== 'string') return;
    for (const pair of text.split(pairDelimiter)) {
      const end = pair.indexOf(valueDelimiter);
      if (end < 0 || pair.includes(valueDelimiter, end + valueDelimiter.length)) continue;
      const slot = table.findSlot(pair.slice(0, end));
      if (slot !== undefined) slots[slot] = pair.slice(end + valueDelimiter.length) as ByteString;
    }
  };
}

function compileRegex(stage: StageOf<'regex'>, table: AttributeTable, allowance: Allowance): Step {
  const input = table.slotOf(stage.input);
  const outputs = stage.outputs.map(({ name }) => table.slotOf(name));
  const groups = stage.outputs.map(({ group }) => group);
  return (slots) => {
    const text = slots[input];
    if (typeof text !== 'string') return;
    const captured = stage.regex.captures(text, groups, allowance);
    if (captured === undefined) return;
    for (const [index, output] of outputs.entries()) slots[output] = captured[index];
  };
}

function compileMap(stage: StageOf<'map'>, table: AttributeTable): Step {
  const input = table.slotOf(stage.input);
  const output = table.slotOf(stage.output);
  const { mappings, otherwise } = stage;
  const compares = compareFunction(stage.comparator);
  return (slots) => {
    const value = slots[input];
    if (typeof value !== 'string' && !isInteger(value)) return;
    const found = mappings.find(({ limit }) => compares(value, limit));
    slots[output] = found === undefined ? otherwise : found.result;
  };
}

/** The digits that a string begins with: `224cm` is 224. */
function compileToInteger(stage: StageOf<'to_integer' | 'to_string'>, table: AttributeTable): Step {
  const input = table.slotOf(stage.input);
  const output = table.slotOf(stage.output);
  return (slots) => {
    const value = slots[input];
    if (isInteger(value)) slots[output] = value;
    else if (typeof value === 'string') {
      const integer = leadingInteger(value);
      if (integer !== undefined) slots[output] = integer;
    }
  };
}

const SAFE_DIGITS = 15;

function leadingInteger(text: string): Integer | undefined {
  const found = /^[+-]?\d+/.exec(text)?.[0];
  if (found === undefined || found.length > INTEGER_DIGITS_MAX) return undefined;
  if (found.length <= SAFE_DIGITS) return Number(found) + 0;
  return canonicalInteger(BigInt(found.startsWith('+') ? found.slice(1) : found));
}

function compileToString(stage: StageOf<'to_integer' | 'to_string'>, table: AttributeTable): Step {
  const input = table.slotOf(stage.input);
  const output = table.slotOf(stage.output);
  return (slots) => {
    const text = valueToText(slots[input]);
    if (text !== undefined) slots[output] = text;
  };
}

function compileSum(stage: StageOf<'add' | 'subtract'>, table: AttributeTable): Step {
  const readX = compileMathOperand(stage.x, table);
  const readY = compileMathOperand(stage.y, table);
  const output = table.slotOf(stage.output);
  const isAdding = stage.kind === 'add';
  return (slots) => {
    const x = readX(slots);
    const y = readY(slots);
    if (x !== undefined && y !== undefined) slots[output] = sum(x, y, isAdding);
  };
}

function compileMathOperand(
  operand: MathOperand,
  table: AttributeTable,
): (slots: Slots) => Integer | undefined {
  if (operand.kind === 'integer') return () => operand.value;
  const slot = table.slotOf(operand.name);
  return (slots) => {
    const value = slots[slot];
    return isInteger(value) ? value : undefined;
  };
}

function sum(x: Integer, y: Integer, isAdding: boolean): Integer {
  if (typeof x === 'number' && typeof y === 'number') {
    const result = isAdding ? x + y : x - y;
    if (Number.isSafeInteger(result)) return result;
  }
  return canonicalInteger(isAdding ? BigInt(x) + BigInt(y) : BigInt(x) - BigInt(y));
}
