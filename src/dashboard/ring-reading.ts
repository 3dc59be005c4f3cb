/**
 * Who owns which partition, asked of one node: once for each epoch, because the epoch decides the
 * ring.
 */

import type { PartitionReport } from '../admin/cluster-status.ts';
import type { NodeSource } from './node-source.ts';

/** Names by partition; undefined where nobody is said to own it. */
export interface RingReading {
  readonly epoch: number;
  readonly owners: readonly (string | undefined)[];
  /** While a step is open. */
  readonly nextOwners: readonly (string | undefined)[] | undefined;
}

export interface RingQuestion {
  readonly epoch: number;
  readonly ringSize: number;
  readonly members: readonly string[];
  readonly isStepOpen: boolean;
}

const ASKED_AT_ONCE = 8;

export async function readRing(
  { ask }: Pick<NodeSource, 'ask'>,
  { epoch, ringSize, members, isStepOpen }: RingQuestion,
): Promise<RingReading> {
  const owners = Array.from({ length: ringSize }, (): string | undefined => undefined);
  const gains: [partition: number, node: string][] = [];
  for (let from = 0; from < members.length; from += ASKED_AT_ONCE) {
    const reports = await Promise.all(
      members.slice(from, from + ASKED_AT_ONCE).map((node) => ask('cluster partitions', { node })),
    );
    for (const { node, primary, pending } of reports as PartitionReport[]) {
      for (const partition of primary) owners[partition] = node;
      for (const partition of pending) gains.push([partition, node]);
    }
  }
  if (!isStepOpen) return { epoch, owners, nextOwners: undefined };
  const nextOwners = [...owners];
  for (const [partition, node] of gains) nextOwners[partition] = node;
  return { epoch, owners, nextOwners };
}
