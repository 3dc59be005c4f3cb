/**
 * How long the room of a cluster lasts, and whether it would do without any one of its nodes. Pure: what
 * the nodes said in, a report out.
 *
 * Sizes of partitions are of records; on disk they take more (indexes, trees, what is not collected
 * yet). How much more is what the stores take now, as far as it can be believed.
 */

import type { Holdings, MemberShare } from '../../node/capacity.ts';
import { amountText, shareText } from '../amount-text.ts';
import type { NodeFigures } from './node-figures.ts';

export interface NodeCapacity extends Partial<NodeFigures> {
  readonly node: string;
  readonly isUp: boolean;
  /** Copies that it holds, about. */
  readonly keys: number;
  /** Until the reserve of the disk is reached, as the disk fills now; undefined: it does not, or too early. */
  readonly fullInDays: number | undefined;
  /** What the process may still take. */
  readonly memoryHeadroomBytes: number | undefined;
}

export interface LossCapacity {
  readonly lost: string;
  /** Undefined: somebody's room is not known. */
  readonly fits: boolean | undefined;
  /** Of those who would take something in addition: on disk, and the room left above the reserve then. */
  readonly gains: readonly {
    readonly node: string;
    readonly bytes: number;
    readonly leftBytes: number | undefined;
  }[];
  /** Of each key, when all has been copied again. */
  readonly copies: number;
}

export interface CapacityReport {
  readonly cluster: string;
  readonly ringSize: number;
  readonly nVal: number;
  /** Each counted once, about. */
  readonly keys: number;
  /** On all disks, of those that answered. */
  readonly storeBytes: number;
  /** A second; undefined: too early to tell for one of them. */
  readonly storeGrowth: number | undefined;
  /** Of the first. */
  readonly fullInDays: number | undefined;
  readonly nodes: readonly NodeCapacity[];
  readonly losses: readonly LossCapacity[];
  readonly warnings: readonly string[];
}

export type FiguresByNode = ReadonlyMap<string, NodeFigures>;

const DAY_SECONDS = 86_400;
const FULL_SOON_DAYS = 30;
const BUSY_RATIO_MAX = 0.7;
const MEMORY_SHARE_MIN = 0.1;
/** Beyond these, what a store takes is its fixed parts, and no measure of its records. */
const DISK_PER_RECORD = { from: 1, to: 4 };

export function judgeCapacity(holdings: Holdings, figures: FiguresByNode): CapacityReport {
  const nodes = holdings.members.map((member) => nodeCapacity(member, figures.get(member.node)));
  const losses = judgeLosses(holdings, figures);
  const growths = nodes.map(({ storeGrowth }) => storeGrowth);
  const days = nodes.flatMap(({ fullInDays }) => fullInDays ?? []);
  return {
    cluster: holdings.cluster,
    ringSize: holdings.ringSize,
    nVal: holdings.nVal,
    keys: holdings.keys,
    storeBytes: sum(nodes.map(({ storeBytes }) => storeBytes ?? 0)),
    storeGrowth: growths.includes(undefined) ? undefined : sum(growths.map((each) => each ?? 0)),
    fullInDays: days.length === 0 ? undefined : Math.min(...days),
    nodes,
    losses,
    warnings: [
      ...(holdings.unknownPartitions > 0
        ? [`of ${holdings.unknownPartitions} partitions nobody said how large they are`]
        : []),
      ...nodes.flatMap(warningsOfNode),
      ...losses.flatMap((loss) => warningsOfLoss(loss, holdings)),
    ],
  };
}

function nodeCapacity(member: MemberShare, figures: NodeFigures | undefined): NodeCapacity {
  const { node, isUp, keys } = member;
  return {
    node,
    isUp,
    keys,
    ...figures,
    fullInDays: figures && fullInDays(figures),
    memoryHeadroomBytes: figures && memoryHeadroom(figures),
  };
}

function fullInDays(figures: NodeFigures): number | undefined {
  const room = roomOf(figures);
  if (room === undefined) return undefined;
  if (room <= 0) return 0;
  const { diskGrowth = 0 } = figures;
  return diskGrowth > 0 ? room / diskGrowth / DAY_SECONDS : undefined;
}

/** Above the reserve; below zero: no new data is taken. */
function roomOf({ diskFreeBytes, diskReserveBytes }: NodeFigures): number | undefined {
  if (diskFreeBytes === undefined) return undefined;
  return diskFreeBytes - (diskReserveBytes ?? 0);
}

function memoryHeadroom(figures: NodeFigures): number | undefined {
  const { memoryUsedBytes, memoryLimitBytes, memoryAvailableBytes } = figures;
  if (memoryUsedBytes === undefined || memoryLimitBytes === undefined) return undefined;
  const left = Math.max(0, memoryLimitBytes - memoryUsedBytes);
  return Math.min(left, memoryAvailableBytes ?? left);
}

function judgeLosses(holdings: Holdings, figures: FiguresByNode): LossCapacity[] {
  const { members, nVal, losses } = holdings;
  const factor = diskPerRecord(holdings, figures);
  const others = members.filter(({ partitions }) => partitions > 0).length - 1;
  const copies = Math.max(0, Math.min(nVal, others));
  return losses.map(({ lost, gains, refusal }) => {
    const taken = gains.map(({ node, sizeBytes }) => {
      const bytes = Math.round(sizeBytes * factor);
      const nodeFigures = figures.get(node);
      const room = nodeFigures && roomOf(nodeFigures);
      return { node, bytes, leftBytes: room === undefined ? undefined : room - bytes };
    });
    return { lost, fits: refusal === undefined ? fitsAll(taken) : false, gains: taken, copies };
  });
}

function fitsAll(gains: LossCapacity['gains']): boolean | undefined {
  if (gains.some(({ leftBytes = 0 }) => leftBytes < 0)) return false;
  return gains.every(({ leftBytes }) => leftBytes !== undefined) ? true : undefined;
}

/** Over those whose stores are known. */
function diskPerRecord({ members }: Holdings, figures: FiguresByNode): number {
  let [disk, records] = [0, 0];
  for (const { node, sizeBytes } of members) {
    const storeBytes = figures.get(node)?.storeBytes;
    if (storeBytes === undefined) continue;
    disk += storeBytes;
    records += sizeBytes;
  }
  const { from, to } = DISK_PER_RECORD;
  return records === 0 ? from : Math.min(to, Math.max(from, disk / records));
}

function warningsOfNode(node: NodeCapacity): string[] {
  if (node.diskFreeBytes === undefined) {
    return [`${node.node} did not say what room it has${node.isUp ? '' : ': it is down'}`];
  }
  const warnings: string[] = [];
  const { fullInDays: days, memoryHeadroomBytes: memory, memoryLimitBytes = 0, busyRatio } = node;
  if (days === 0)
    warnings.push(`${node.node} takes no new data: its disk is full up to the reserve`);
  else if (days !== undefined && days < FULL_SOON_DAYS) {
    warnings.push(`the disk of ${node.node} is full in ${days.toFixed(1)} days: add room or nodes`);
  }
  if (memory !== undefined && memory < memoryLimitBytes * MEMORY_SHARE_MIN) {
    warnings.push(`${node.node} has ${amountText(memory)} of memory left`);
  }
  if (busyRatio !== undefined && busyRatio > BUSY_RATIO_MAX) {
    warnings.push(
      `the event loop of ${node.node} was busy for ${shareText(busyRatio)} of the last minute: ` +
        'requests wait for each other; add nodes',
    );
  }
  return warnings;
}

function warningsOfLoss({ lost, fits, gains }: LossCapacity, { losses }: Holdings): string[] {
  const refusal = losses.find((each) => each.lost === lost)?.refusal;
  if (refusal === 'only-member' || refusal === 'no-nodes') {
    return [`nobody would be left without ${lost}`];
  }
  if (refusal !== undefined) return [`what the loss of ${lost} asks cannot be told: ${refusal}`];
  if (fits !== false) return [];
  const lacking = gains
    .filter(({ leftBytes = 0 }) => leftBytes < 0)
    .map(({ node, leftBytes = 0 }) => `${node} ${amountText(-leftBytes)}`);
  return [`without ${lost} the others could not hold everything: ${lacking.join(', ')} short`];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
