/**
 * What a member says of the partitions that it holds: about how large they are, and how fast it was filled last.
 */

import { isFault } from '../base/fault.ts';
import type { NodeId, Partition } from '../base/names.ts';
import type { PartitionSize } from '../peer/messages.ts';
import type { Peer } from '../peer/peer.ts';

export interface SizesAsked {
  readonly node: NodeId;
  readonly partitions: readonly Partition[];
  readonly timeoutMs: number;
}

export interface SizesTold {
  /** Of those that were asked for. */
  readonly sizes: ReadonlyMap<Partition, PartitionSize>;
  /** Undefined: never enough to tell. */
  readonly fillBytesPerSecond: number | undefined;
}

/** Undefined: it did not say in time. */
export async function askSizes(
  peer: Peer,
  { node, partitions, timeoutMs }: SizesAsked,
): Promise<SizesTold | undefined> {
  try {
    const reply = await peer.request(node, { verb: 'sizes', partitions }, timeoutMs);
    if (reply.kind !== 'sizes') return undefined;
    const sizes = new Map<Partition, PartitionSize>();
    for (const [index, partition] of partitions.entries()) {
      const size = reply.sizes[index];
      if (size !== undefined) sizes.set(partition, size);
    }
    return { sizes, fillBytesPerSecond: reply.fillBytesPerSecond };
  } catch (error) {
    if (!isFault(error)) throw error;
    return undefined;
  }
}
