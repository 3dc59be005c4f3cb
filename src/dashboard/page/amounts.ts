/**
 * Figures for people: short, with a unit, as exact as one can read at a glance. A dash where
 * nobody said.
 */

export const UNKNOWN = '–';

const SIZE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** 950, 1.2k, 34k, 5.6M. */
export function countText(count: number | undefined): string {
  if (count === undefined) return UNKNOWN;
  if (count >= 1e6) return `${short(count / 1e6)}M`;
  if (count >= 1e4) return `${short(count / 1e3)}k`;
  return count >= 100 || Number.isInteger(count) ? String(Math.round(count)) : short(count);
}

export function sizeText(bytes: number | undefined): string {
  if (bytes === undefined) return UNKNOWN;
  let [value, unit] = [bytes, 0];
  for (; value >= 1_000 && unit < SIZE_UNITS.length - 1; unit += 1) value /= 1_024;
  return `${unit === 0 ? Math.round(value) : short(value)} ${SIZE_UNITS[unit] ?? ''}`;
}

/** Milliseconds without their unit. */
export function msText(ms: number | undefined): string {
  return ms === undefined ? UNKNOWN : short(ms);
}

/** 350 ms, 12 s, 4 min, 3 h 10 min, 5 d 2 h. */
export function durationText(ms: number | undefined): string {
  if (ms === undefined) return UNKNOWN;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 || days > 14 ? `${days} d` : `${days} d ${hours % 24} h`;
}

export function percentText(ratio: number | undefined): string {
  if (ratio === undefined) return UNKNOWN;
  const percent = 100 * ratio;
  return `${percent > 0 && percent < 10 ? short(percent) : Math.round(percent)}%`;
}

/** `1 member`, `3 members`. */
export function counted(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Two or three digits that count. */
function short(value: number): string {
  if (value === 0) return '0';
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(Math.abs(value) >= 10 ? 3 : 2)));
}
