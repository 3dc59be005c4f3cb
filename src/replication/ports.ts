/**
 * What replication needs of the node that it runs in, and of its configuration.
 */

import type { Host } from '../base/host.ts';
import type { NodeId } from '../base/names.ts';
import type { NodeAddress } from '../client/connection.ts';
import type { Credentials } from '../client/credentials.ts';
import type { AbsorbOutcome, AbsorbRequest } from '../coordinator/absorb.ts';
import type { FoldService } from '../node/fold-requests.ts';
import type { Dialler } from './dialler.ts';

export interface ReplicationNode extends FoldService {
  readonly id: NodeId;
  absorb(request: AbsorbRequest): Promise<AbsorbOutcome>;
  /** Members that answer now, this node included. */
  liveMembers(): readonly NodeId[];
  /** False: it was removed from its cluster, and takes nothing over. */
  isMember(): boolean;
}

/** A queue of another cluster that this one fetches from. */
export interface Source {
  /** How status and metrics call it. */
  readonly name: string;
  readonly queue: string;
  readonly nodes: readonly NodeAddress[];
  /** For the next connection; they may change. Undefined: security is off there. */
  readonly credentials: (() => Credentials) | undefined;
  /** Lots that this node fetches at once. */
  readonly workers: number;
  /** Between two comparisons of everything; 0: only when an operator asks. */
  readonly fullSyncMs: number;
}

export interface ReplicationPorts {
  readonly host: Host;
  readonly node: ReplicationNode;
  readonly dialler: Dialler;
}

/** What is under way at a stop is waited for so long. */
export const STOP_TIMEOUT_MS = 5_000;

/** `delayMs`, give or take a fifth, so that those who began together do not go on together. */
export function jittered({ random }: Pick<Host, 'random'>, delayMs: number): number {
  return delayMs * (0.8 + random.integer(401) / 1_000);
}
