/**
 * A workload with what the command line says instead: other sizes, times, clients and rates.
 */

import { Fault } from '../../src/base/fault.ts';
import { findLateEvent, findUnknownShare } from './step-checks.ts';
import type { KeySetSpec, OperationSpec, Rate, StepSpec, Workload } from './workload.ts';

/** As many as the range that is kept for tests has. */
const NHS_NUMBERS_MAX = 500_000;

export interface Overrides {
  /** Sets of keys this much larger or smaller. */
  readonly scale: number;
  /** Of each measured phase. */
  readonly durationMs: number | undefined;
  readonly clients: number | undefined;
  /** Only an open loop at this rate. */
  readonly rate: Rate | undefined;
  readonly warmUpOperations: number | undefined;
  /** How long a steady rate is waited for at most. */
  readonly steadyMs?: number | undefined;
  /** Names of operations that are left out. */
  readonly without?: readonly string[];
}

export function withOverrides(workload: Workload, overrides: Overrides): Workload {
  const change = (step: StepSpec): StepSpec => ({
    ...step,
    durationMs: overrides.durationMs ?? step.durationMs,
    clients: overrides.clients ?? step.clients,
  });
  const keys = Object.entries(workload.keys).map(([name, spec]) => [
    name,
    scaleKeys(spec, overrides.scale),
  ]);
  const { warmUp } = workload;
  const changed: Workload = {
    ...workload,
    clients: overrides.clients ?? workload.clients,
    keys: Object.fromEntries(keys) as Workload['keys'],
    operations: leaveOut(workload, overrides.without ?? []),
    warmUp: { ...warmUp, operations: overrides.warmUpOperations ?? warmUp.operations },
    steady: { ...workload.steady, atMostMs: overrides.steadyMs ?? workload.steady.atMostMs },
    measure: measureSteps(workload.measure, overrides.rate).map(change),
    fault: workload.fault === undefined ? undefined : change(workload.fault),
    recover: workload.recover === undefined ? undefined : change(workload.recover),
  };
  if (changed.measure.some(({ durationMs }) => durationMs === Infinity)) {
    throw new Fault('config', `${workload.name} has no end of its own: --duration says how long`);
  }
  const unknown = findUnknownShare(changed);
  if (unknown !== undefined) {
    const { value, unit } = unknown.rate;
    throw new Fault('config', `a rate of ${value}${unit} needs a closed loop before it`);
  }
  const late = findLateEvent(changed);
  if (late !== undefined) {
    const [at, length] = [late[1].atMs, changed.fault?.durationMs ?? 0].map((ms) => ms / 1_000);
    throw new Fault('config', `a fault ${at} s into a phase of ${length} s would never come`);
  }
  return changed;
}

function leaveOut({ name, operations }: Workload, without: readonly string[]): OperationSpec[] {
  const names = operations.map((operation) => operation.name);
  const strange = without.find((one) => !names.includes(one));
  if (strange !== undefined) {
    throw new Fault('config', `${name} has no ${strange}: it has ${names.join(', ')}`);
  }
  const left = operations.filter((operation) => !without.includes(operation.name));
  if (left.length === 0) throw new Fault('config', `nothing would be left of ${name}`);
  return left;
}

function measureSteps(steps: readonly StepSpec[], rate: Rate | undefined): readonly StepSpec[] {
  const [first] = steps;
  if (rate === undefined || first === undefined) return steps;
  const open: StepSpec = { ...first, loop: 'open', rate, arrivals: 'even', steps: 1 };
  return rate.unit === '/s' ? [open] : [{ ...first, loop: 'closed' }, open];
}

function scaleKeys(spec: KeySetSpec, scale: number): KeySetSpec {
  const scaled = (count: number, least: number): number =>
    Math.max(least, Math.round(count * scale));
  switch (spec.kind) {
    case 'shared': {
      const most = spec.names === 'nhs_number' ? NHS_NUMBERS_MAX : Infinity;
      return { ...spec, count: Math.min(most, scaled(spec.count, 1)) };
    }
    case 'owned':
      return { ...spec, most: scaled(spec.most, 2), least: scaled(spec.least, 1) };
    case 'queue':
      return spec;
  }
}
