/**
 * How the nodes of a source are reached: over Protocol Buffers, or whatever a simulation has in its place.
 */

import { PinnedConnection, type PinnedOptions } from '../client/pinned-connection.ts';
import { Requester, type RequesterOptions } from '../client/requester.ts';

/** To one node; once it is gone it stays gone. */
export type PinnedLine = Pick<PinnedConnection, 'call' | 'close' | 'isClosed'>;

/** To whichever node can take a request. */
export type PooledLine = Pick<Requester, 'call' | 'close'>;

export interface Dialler {
  pinned(options: PinnedOptions): PinnedLine;
  pooled(options: RequesterOptions): PooledLine;
}

export const DIALLER: Dialler = {
  pinned: (options) => new PinnedConnection(options),
  pooled: (options) => new Requester(options),
};
