/**
 * Durations and sizes as people write them: `500ms`, `60s`, `1h30m`; `64KiB`, `50MiB`.
 *
 * A number without a unit is refused: 60 of what? Sizes are powers of 1024 and say so. Each way of
 * writing has one value, and each value that a configuration can hold has one shortest way back.
 */

import { assert } from '../base/fault.ts';

const DURATION_UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const;

const SIZE_UNITS = [
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
  ['B', 1],
] as const;

type Units = readonly (readonly [unit: string, value: number])[];

/** Milliseconds, or undefined where the text is no duration. Units may follow each other: `1h30m`. */
export function parseDurationMs(text: string): number | undefined {
  if (!/^(\d{1,15}(ms|[smhd]))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, digits, unit] of text.matchAll(/(\d+)(ms|[smhd])/g)) {
    total += Number(digits) * unitValue(DURATION_UNITS, unit);
  }
  return Number.isSafeInteger(total) ? total : undefined;
}

/** Bytes, or undefined where the text is no size. */
export function parseSizeBytes(text: string): number | undefined {
  const match = /^(\d{1,15})(B|KiB|MiB|GiB)$/.exec(text);
  if (match === null) return undefined;
  const total = Number(match[1]) * unitValue(SIZE_UNITS, match[2]);
  return Number.isSafeInteger(total) ? total : undefined;
}

/** Of a text that the schema has let through. */
export function measuredMs(text: string): number {
  const value = parseDurationMs(text);
  assert(value !== undefined, 'a checked document holds durations only');
  return value;
}

/** Of a text that the schema has let through. */
export function measuredBytes(text: string): number {
  const value = parseSizeBytes(text);
  assert(value !== undefined, 'a checked document holds sizes only');
  return value;
}

/** In the greatest unit that divides it: 90,000 is `90s`, 120,000 is `2m`. */
export function formatDuration(valueMs: number): string {
  return formatInUnits(valueMs, DURATION_UNITS);
}

/** In the greatest unit that divides it. */
export function formatSize(valueBytes: number): string {
  return formatInUnits(valueBytes, SIZE_UNITS);
}

function formatInUnits(value: number, units: Units): string {
  for (const [unit, size] of units) {
    if (value >= size && value % size === 0) return `${value / size}${unit}`;
  }
  return `${value}${units.at(-1)?.[0] ?? ''}`;
}

function unitValue(units: Units, name: string | undefined): number {
  return units.find(([unit]) => unit === name)?.[1] ?? Number.NaN;
}
