/**
 * What a node offers to its operator, beside what it offers to clients.
 *
 * Everything here looks, or starts, ends and reports background work; nothing changes what clients
 * have stored.
 */

import type { ObjectKey } from '../base/names.ts';
import type { Peer } from '../peer/peer.ts';
import { traceKey, type KeyTrace } from './key-trace.ts';
import type { Topology } from './topology.ts';

export interface OperatorService {
  /** Undefined: the bucket type is unknown. */
  locate(key: ObjectKey): Promise<KeyTrace | undefined>;
}

export interface OperationsPorts {
  readonly peer: Peer;
  readonly topology: Topology;
}

/** For a member to say what it holds. */
const TRACE_TIMEOUT_MS = 5_000;

export class Operations implements OperatorService {
  readonly #ports: OperationsPorts;

  constructor(ports: OperationsPorts) {
    this.#ports = ports;
  }

  locate(key: ObjectKey): Promise<KeyTrace | undefined> {
    return traceKey({ ...this.#ports, timeoutMs: TRACE_TIMEOUT_MS }, key);
  }
}
