/**
 * What a simulation is of: its seed, and what the seed draws unless it is told.
 *
 * What takes the most from the judges, or the most time, happens in every fourth seed only: the ring
 * moves (0), users and grants change (1), buckets change (2); where no disk loses anything (3), reads of
 * a majority are judged from the beginning to the end.
 */

import type { SimulatedCluster } from './cluster.ts';
import type { FaultKind } from './faults.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly nodeCount?: number;
  /** Default: all, but that in every fourth seed no disk loses anything. */
  readonly faults?: readonly FaultKind[];
  readonly operationsPerClient?: number;
  /** Default 2. */
  readonly datatypeClientCount?: number;
  /** Mean time between two faults. Default 1,500. */
  readonly faultIntervalMs?: number;
  /** Whether the ring moves meanwhile. Default: with every fourth seed. */
  readonly steps?: boolean;
  /** Whether nodes join, leave and replace each other meanwhile. Default false. */
  readonly changesMembers?: boolean;
  /** Whether n_val, allow_mult and last_write_wins change meanwhile. Default: with every fourth seed. */
  readonly changesBuckets?: boolean;
  /**
   * Whether the transport's own links carry what nodes say, or each message goes by itself and is lost,
   * doubled and overtaken. Default: four seeds in turn.
   */
  readonly links?: boolean;
  /** Virtual time until what is still wrong is a finding. Default 200,000. */
  readonly healLimitMs?: number;
  /** Changes the cluster before it starts: how a test plants a bug. */
  readonly tamper?: (cluster: SimulatedCluster) => void;
}

export const ALL_FAULTS: readonly FaultKind[] = [
  'crash',
  'power-cut',
  'clean-restart',
  'partition',
  'one-way-cut',
  'isolate',
  'pause',
  'loss',
  'duplicates',
  'corrupt-record',
  'failed-sync',
  'slow-disk',
  'bridge',
  'slow-network',
  'clock-jump',
  'empty-disk',
  'old-image',
  'secret-image',
  'disk-full',
];

/** With these no copy that was on stable storage goes. */
export const FAULTS_OF_SOUND_DISKS = ALL_FAULTS.filter(
  (kind) => !['corrupt-record', 'empty-disk', 'old-image', 'secret-image'].includes(kind),
);

export function drawnFaults({ seed, faults }: SimulationOptions): readonly FaultKind[] {
  return faults ?? (seed % 4 === 3 ? FAULTS_OF_SOUND_DISKS : ALL_FAULTS);
}

export function hasLinks({ seed, links }: Pick<SimulationOptions, 'seed' | 'links'>): boolean {
  return links ?? Math.floor(seed / 4) % 2 === 1;
}

/** Each change is an epoch. */
export function changesAccess({ seed }: SimulationOptions): boolean {
  return seed % 4 === 1;
}

export function movesRing({ seed, steps, changesMembers }: SimulationOptions): boolean {
  return steps ?? (changesMembers !== true && seed % 4 === 0);
}

export function changesBuckets({
  seed,
  changesBuckets,
  changesMembers,
}: SimulationOptions): boolean {
  return changesBuckets ?? (changesMembers !== true && seed % 4 === 2);
}
