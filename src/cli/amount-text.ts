/**
 * Amounts for people: three digits are enough.
 */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `1.25 GiB`; negative amounts keep their sign. */
export function amountText(bytes: number): string {
  const size = Math.abs(bytes);
  const step = size < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(size) / 10));
  const value = bytes / 1024 ** step;
  return `${step === 0 ? Math.round(value) : Number(value.toPrecision(3))} ${UNITS[step]}`;
}

/** `12.5 %`. */
export function shareText(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`;
}
