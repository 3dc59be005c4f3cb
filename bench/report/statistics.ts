/**
 * Comparing repeated runs: the difference of two means with its confidence interval (Welch 1947).
 */

export interface Difference {
  readonly before: number;
  readonly after: number;
  /** after / before - 1. */
  readonly change: number;
  /** Half the width of the 95 % confidence interval of `change`; undefined below two runs each. */
  readonly margin: number | undefined;
}

/** Means of repeated runs; the interval is of the change in relation to `before`'s mean. */
export function compareMeans(before: readonly number[], after: readonly number[]): Difference {
  const [left, right] = [mean(before), mean(after)];
  const change = left === 0 ? 0 : right / left - 1;
  const plain = { before: left, after: right, change };
  if (before.length < 2 || after.length < 2 || left === 0) return { ...plain, margin: undefined };
  const leftError = variance(before) / before.length;
  const rightError = variance(after) / after.length;
  const error = leftError + rightError;
  if (error === 0) return { ...plain, margin: 0 };
  const degrees =
    (error * error) /
    ((leftError * leftError) / (before.length - 1) +
      (rightError * rightError) / (after.length - 1));
  return { ...plain, margin: (studentT95(degrees) * Math.sqrt(error)) / left };
}

/** Of percentages: `change` and `margin` are in points, as shares of a hundred. */
export function comparePoints(before: readonly number[], after: readonly number[]): Difference {
  // Moved to where the mean before is 100, a change in relation to it is one in points.
  const shift = 100 - mean(before);
  const moved = (values: readonly number[]): number[] => values.map((value) => value + shift);
  const difference = compareMeans(moved(before), moved(after));
  return { ...difference, before: mean(before), after: mean(after) };
}

/** Whether the runs show that there is a difference at all. */
export function isSignificant({ change, margin }: Difference): boolean {
  return margin !== undefined && Math.abs(change) > margin;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function variance(values: readonly number[]): number {
  const middle = mean(values);
  return values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1);
}

/** Two-sided 95 % quantiles of Student's t for 1 to 10 degrees of freedom. */
const T95 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
const NORMAL95 = 1.96;

/** Beyond ten degrees the expansion is exact to a thousandth; between whole ones the smaller counts. */
function studentT95(degrees: number): number {
  const whole = Math.max(1, Math.floor(degrees));
  if (whole <= T95.length) return T95[whole - 1] as number;
  const z = NORMAL95;
  return z + (z ** 3 + z) / (4 * whole) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * whole ** 2);
}
