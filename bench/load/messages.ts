/**
 * What the parent of a run and its worker processes say to each other.
 */

import type { Credentials } from '../../src/client/credentials.ts';
import type { Target } from '../target/target.ts';
import type { ProcessShare } from '../workload/key-sets.ts';
import type { Workload } from '../workload/workload.ts';
import type { RatePiece } from './arrivals.ts';
import type { Batch } from './recorder.ts';
import type { Verdict } from './verify.ts';

/** A process sends on what it has noted this often. */
export const BATCH_INTERVAL_MS = 250;

export interface Preparation {
  readonly kind: 'prepare';
  readonly workload: Workload;
  readonly target: Target;
  /** Where security is on; told over the pipe alone, and never written anywhere. */
  readonly credentials: Credentials | undefined;
  readonly share: ProcessShare;
  readonly seed: number;
  /** Tells the values of this run from older ones. */
  readonly run: number;
  readonly timeoutMs: number;
  /** Keys whose writes are remembered, in each process. */
  readonly verifyKeysMax: number;
  /** The load phase is left out: its keys are there. */
  readonly isLoaded: boolean;
  /** By set of keys, as the first process found it; undefined: this is the first. */
  readonly keepsSiblings: readonly boolean[] | undefined;
}

export type LoopOrder =
  | {
      readonly loop: 'closed';
      readonly clients: number;
      readonly durationMs: number;
      /** Of this process. */
      readonly operationsMax?: number;
    }
  | {
      readonly loop: 'open';
      readonly clients: number;
      readonly durationMs: number;
      /** Of this process. */
      readonly pieces: readonly RatePiece[];
      readonly arrivals: 'even' | 'poisson';
    };

export type Order =
  | Preparation
  | { readonly kind: 'load'; readonly phase: number; readonly clients: number }
  | { readonly kind: 'loop'; readonly phase: number; readonly order: LoopOrder }
  | { readonly kind: 'verify'; readonly phase: number; readonly patienceMs: number }
  | { readonly kind: 'stop' };

/** How the process itself fares, since the report before. */
export interface OwnCost {
  readonly cpuMicros: number;
  /** How late the event loop was at worst. */
  readonly lagMaxMs: number;
}

export type Report =
  | {
      readonly kind: 'prepared';
      readonly nodes: readonly string[];
      readonly isVerifiable: boolean;
      /** By set of keys: whether its bucket keeps concurrent writes side by side. */
      readonly keepsSiblings: readonly boolean[];
      /** What the reader of the figures should know. */
      readonly notes: readonly string[];
    }
  | {
      readonly kind: 'batch';
      readonly phase: number;
      readonly batch: Batch;
      readonly cost: OwnCost;
      /** Keys written by the load phase, or looked for by the verifier, so far and in all. */
      readonly progress: readonly [done: number, total: number] | undefined;
    }
  /** `unstarted`: operations of an open loop that were due and found no client. */
  | { readonly kind: 'done'; readonly phase: number; readonly unstarted: number }
  | { readonly kind: 'verdict'; readonly phase: number; readonly verdict: Verdict }
  | { readonly kind: 'failed'; readonly reason: string };
