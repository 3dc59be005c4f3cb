/**
 * Rates that are shares of the best closed loop, and come before any: they would be met after the load.
 */

import type { Rate, StepSpec, Workload } from './workload.ts';

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

function shareOf(
  { loop, rate, to }: StepSpec,
  path: readonly (string | number)[],
): UnknownShare | undefined {
  if (loop === 'closed') return undefined;
  if (rate?.unit === '%') return { path: [...path, 'rate'], rate };
  return to?.unit === '%' ? { path: [...path, 'to'], rate: to } : undefined;
}
