/**
 * What can be seen of the steps of a workload before they are taken: a rate that is a share of a closed loop and comes
 * before any would be met after the load, and a fault that is due after its phase never.
 */

import type { FaultEvent, Rate, StepSpec, Workload } from './workload.ts';

export interface UnknownShare {
  /** In the file. */
  readonly path: readonly (string | number)[];
  readonly rate: Rate;
}

type Steps = Pick<Workload, 'measure' | 'fault' | 'recover'>;

/** The first of them. */
export function findUnknownShare({ measure, fault, recover }: Steps): UnknownShare | undefined {
  let isKnown = false;
  for (const [index, step] of measure.entries()) {
    const found = isKnown ? undefined : shareOf(step, ['measure', index]);
    if (found !== undefined) return found;
    isKnown ||= step.loop === 'closed';
  }
  if (isKnown) return undefined;
  return (fault && shareOf(fault, ['fault'])) ?? (recover && shareOf(recover, ['recover']));
}

/** The first event that its phase has no room for, with its number. */
export function findLateEvent({
  fault,
}: Pick<Workload, 'fault'>): [number, FaultEvent] | undefined {
  const durationMs = fault?.durationMs ?? 0;
  return [...(fault?.events.entries() ?? [])].find(([, { atMs }]) => atMs >= durationMs);
}

function shareOf(
  { loop, rate, to }: StepSpec,
  path: readonly (string | number)[],
): UnknownShare | undefined {
  if (loop === 'closed') return undefined;
  if (rate?.unit === '%') return { path: [...path, 'rate'], rate };
  return to?.unit === '%' ? { path: [...path, 'to'], rate: to } : undefined;
}
