/**
 * The building stones of the configuration's JSON schema.
 *
 * Every setting is one schema node that carries its meaning and its default, so that the check, the
 * defaults and `vertebra config describe` come from one place and cannot drift apart. Durations and
 * sizes are strings with a unit, checked by the keyword `measure` that `document-check.ts` defines.
 */

/** What the `measure` keyword checks; both ends inclusive. */
export interface Measure {
  readonly unit: 'duration' | 'size';
  /** Words that may stand there too. */
  readonly words?: readonly string[];
  readonly from: string;
  readonly to: string;
}

export type SettingValue = string | number | boolean;

/** A JSON schema node as this configuration uses it. */
export interface SettingSchema {
  readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'object' | 'array';
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly SettingValue[];
  readonly anyOf?: readonly SettingSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  /** The pattern in words: `name@host`. */
  readonly title?: string;
  readonly measure?: Measure;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: SettingSchema;
  readonly properties?: Readonly<Record<string, SettingSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
}

interface Range<T> {
  readonly from: T;
  readonly to: T;
  readonly default?: T;
}

export function duration(range: Range<string>, description: string): SettingSchema {
  return measure('duration', range, description);
}

export function size(range: Range<string>, description: string): SettingSchema {
  return measure('size', range, description);
}

function measure(unit: Measure['unit'], range: Range<string>, description: string): SettingSchema {
  return {
    type: 'string',
    measure: { unit, from: range.from, to: range.to },
    ...withDefault(range.default),
    description,
  };
}

export function count(range: Range<number>, description: string): SettingSchema {
  return {
    type: 'integer',
    minimum: range.from,
    maximum: range.to,
    ...withDefault(range.default),
    description,
  };
}

/** A number that need not be whole. */
export function decimal(range: Range<number>, description: string): SettingSchema {
  return { ...count(range, description), type: 'number' };
}

/** One of `choices`; the first is the default. */
export function choice<T extends SettingValue>(
  choices: readonly [T, ...T[]],
  description: string,
): SettingSchema {
  return { enum: choices, default: choices[0], description };
}

export function text(description: string, rest: Partial<SettingSchema> = {}): SettingSchema {
  return { type: 'string', minLength: 1, maxLength: 1_024, description, ...rest };
}

/** A list of values without names of their own. */
export function list(items: SettingSchema, description: string): SettingSchema {
  return { type: 'array', items, maxItems: 1_024, description };
}

/** A group of settings; an absent group has every default of its own. */
export function section(
  description: string,
  properties: Readonly<Record<string, SettingSchema>>,
): SettingSchema {
  return { type: 'object', default: {}, description, properties, additionalProperties: false };
}

function withDefault(value: unknown): { readonly default?: unknown } {
  return value === undefined ? {} : { default: value };
}
