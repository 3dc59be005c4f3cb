/**
 * The phases of a workload as orders to worker processes.
 */

import { Fault } from '../../src/base/fault.ts';
import { ratePieces } from './arrivals.ts';
import type { PhaseStart } from '../report/measurements.ts';
import type { PhaseRole } from '../report/result.ts';
import type { FaultEvent, Rate, StepSpec, Workload } from '../workload/workload.ts';
import type { LoopOrder } from './messages.ts';

export interface PlannedLoop {
  readonly name: string;
  readonly role: PhaseRole;
  readonly step: StepSpec;
  /** In all; only the warm-up has one. */
  readonly operationsMax: number | undefined;
}

/** What is done after the load, in order. */
export function plannedLoops(workload: Workload): PlannedLoop[] {
  const loops: PlannedLoop[] = [];
  const { operations, atMostMs } = workload.warmUp;
  const unmeasured = unmeasuredStep(workload);
  if (operations > 0 && atMostMs > 0) {
    const step = { ...unmeasured, durationMs: warmUpMs(workload, unmeasured) };
    loops.push({ name: 'warm-up', role: 'warm-up', step, operationsMax: operations });
  }
  if (workload.steady.atMostMs > 0) {
    const step = { ...unmeasured, durationMs: workload.steady.windowMs };
    loops.push({ name: 'steady', role: 'steady', step, operationsMax: undefined });
  }
  const names = new Set<string>();
  const add = (role: PhaseRole, step: StepSpec, label: string): void => {
    let name = label;
    for (let number = 2; names.has(name); number += 1) name = `${label} ${number}`;
    names.add(name);
    loops.push({ name, role, step, operationsMax: undefined });
  };
  for (const step of workload.measure) add('measure', step, stepLabel(step));
  if (workload.fault !== undefined) add('fault', workload.fault, 'fault');
  if (workload.recover !== undefined) add('recover', workload.recover, 'recover');
  return loops;
}

/** As the first measured loop; a target that is to have so many a second never gets more. */
function unmeasuredStep({ measure, clients }: Workload): StepSpec {
  const [first] = measure;
  const isLimited = first?.loop === 'open' && first.rate?.unit === '/s';
  if (isLimited) {
    const { to: _to, ...level } = first;
    return { ...level, steps: 1, events: [] };
  }
  return {
    loop: 'closed',
    durationMs: 0,
    clients: first?.loop === 'closed' ? first.clients : clients,
    steps: 1,
    arrivals: 'even',
    events: [],
  };
}

function warmUpMs({ warmUp }: Workload, { loop, rate }: StepSpec): number {
  if (loop === 'closed' || rate === undefined) return warmUp.atMostMs;
  return Math.min(warmUp.atMostMs, (1_000 * warmUp.operations) / rate.value);
}

export function faultEvents(workload: Workload): readonly FaultEvent[] {
  return plannedLoops(workload).flatMap(({ step }) => step.events);
}

function stepLabel({ loop, rate, to }: StepSpec): string {
  if (loop === 'closed' || rate === undefined) return loop;
  const end = to === undefined ? '' : ` to ${to.value}${to.unit}`;
  return `open ${rate.value}${rate.unit}${end}`;
}

/** What the rates of this generator are taken from. */
export interface RateBasis {
  /** Of its closed loops so far. */
  readonly bestPerSecond: number;
  /** That share what is so many operations a second in all. */
  readonly generators: number;
}

export function startOf(planned: PlannedLoop, basis: RateBasis): PhaseStart {
  const { name, role, step } = planned;
  const { from, to } = ratesOf(step, basis);
  return {
    name,
    role,
    loop: step.loop,
    clients: step.clients,
    offeredPerSecond: step.loop === 'open' ? (from + to) / 2 : undefined,
  };
}

export function orderOf(
  { step, operationsMax }: PlannedLoop,
  basis: RateBasis,
  processes: number,
): LoopOrder {
  const { clients, durationMs } = step;
  if (step.loop === 'closed') {
    const own =
      operationsMax === undefined ? {} : { operationsMax: Math.ceil(operationsMax / processes) };
    return { loop: 'closed', clients, durationMs, ...own };
  }
  const { from, to } = ratesOf(step, basis);
  const rates = { fromPerSecond: from / processes, toPerSecond: to / processes };
  const pieces = ratePieces(rates, step.steps, durationMs);
  return { loop: 'open', clients, durationMs, pieces, arrivals: step.arrivals };
}

function ratesOf(step: StepSpec, basis: RateBasis): { readonly from: number; readonly to: number } {
  if (step.loop === 'closed' || step.rate === undefined) return { from: 0, to: 0 };
  const from = perSecond(step.rate, basis);
  return { from, to: step.to === undefined ? from : perSecond(step.to, basis) };
}

function perSecond({ value, unit }: Rate, { bestPerSecond, generators }: RateBasis): number {
  if (unit === '/s') return Math.max(0.001, value / generators);
  if (bestPerSecond === 0) {
    throw new Fault('config', `a rate of ${value}% needs a closed loop before it that succeeded`);
  }
  return Math.max(0.001, (value / 100) * bestPerSecond);
}
