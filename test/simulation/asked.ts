/**
 * A client's side of one request: the process it asked, and how long it waits for the answer.
 */

import type { NodeService } from '../../src/node/node-service.ts';
import type { SimulatedNode } from './cluster.ts';
import type { World } from './world.ts';

/** The process that a client asked, and its machine. */
export interface Asked {
  readonly machine: SimulatedNode;
  readonly node: NodeService;
}

export interface Patience {
  readonly world: World;
  readonly requestTimeoutMs: number;
  /** Where a request that outlives its deadline is told of. */
  readonly violations: string[];
}

/** A deadline is kept by a timer, and what it ends takes a few messages more. */
const DEADLINE_SLACK_MS = 2_000;

/** Undefined when the node died with the request: a client sees a closed connection. */
export async function within<T>(
  { machine }: Asked,
  request: () => Promise<T>,
  { world, requestTimeoutMs, violations }: Patience,
): Promise<T | undefined> {
  const startedMs = world.nowMs;
  let isAnswered = false;
  const answered = machine.ask(request).finally(() => {
    isAnswered = true;
  });
  return Promise.race([
    answered,
    world.sleep(requestTimeoutMs + DEADLINE_SLACK_MS).then(() => {
      if (!isAnswered && machine.interruptedMs < startedMs) {
        violations.push(`a request to ${machine.id} outlived its deadline`);
      }
      return undefined;
    }),
  ]);
}
