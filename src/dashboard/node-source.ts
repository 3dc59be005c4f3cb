/**
 * One node asked for all that the dashboard shows of it: over its admin socket where that is
 * within reach, else over HTTP, which tells less. Whoever says nothing in time is silent, and
 * nobody else waits for it.
 */

import type { ClusterReport } from '../admin/cluster-status.ts';
import type { HotKeyReport } from '../admin/hot-key-commands.ts';
import type { SlowLogReport } from '../admin/slow-log-commands.ts';
import type { TransferReport } from '../node/operations.ts';
import type { RepairStatus } from '../node/repair-rounds.ts';
import { areMetrics } from './metrics-reading.ts';
import type { HintView } from './page/snapshot.ts';

/** The ways to a node. */
export interface NodeSource {
  readonly node: string;
  /** Over its admin socket; rejects where there is none, and for what the node refuses. */
  readonly ask: (command: string, options?: Readonly<Record<string, unknown>>) => Promise<unknown>;
  /** Over HTTP; the body, whatever the status is. Rejects where there is no answer. */
  readonly fetch: (path: string) => Promise<string>;
}

export interface NodeStatus {
  readonly isReady: boolean;
  readonly reason: string;
  readonly epoch: number;
  readonly members: readonly { readonly id: string; readonly isUp: boolean }[];
}

/** What only the admin socket tells. */
export interface SocketAnswers {
  readonly status: NodeStatus;
  readonly cluster: ClusterReport;
  readonly transfers: TransferReport;
  readonly hints: { readonly targets: readonly HintView[] };
}

/** What costs a node more, or changes slowly. */
export interface SlowAnswers {
  readonly repair: RepairStatus;
  readonly slowLog: SlowLogReport;
  readonly hotKeys: HotKeyReport;
}

export type NodeAnswer =
  | {
      readonly by: 'socket';
      readonly metrics: string;
      readonly socket: SocketAnswers;
      /** Undefined: not asked this time. */
      readonly slow: SlowAnswers | undefined;
    }
  | { readonly by: 'http'; readonly metrics: string; readonly readiness: string }
  | { readonly by: 'nothing'; readonly silence: string };

/** For one question over either way. */
export const ANSWER_TIMEOUT_MS = 2_000;
const SLOW_LOG_ENTRIES = 30;
const TEXT_MAX_LENGTH = 200;

export async function askOf(source: NodeSource, isSlowTurn: boolean): Promise<NodeAnswer> {
  const begunMs = performance.now();
  let refusal: string;
  try {
    return await askSocket(source, isSlowTurn);
  } catch (error) {
    refusal = messageOf(error);
  }
  // It is there and says nothing: HTTP would be as silent, for as long.
  if (performance.now() - begunMs >= ANSWER_TIMEOUT_MS) return { by: 'nothing', silence: refusal };
  try {
    return await askHttp(source);
  } catch (error) {
    const isAbsent = refusal.includes('ENOENT');
    return { by: 'nothing', silence: isAbsent ? messageOf(error) : refusal };
  }
}

async function askSocket({ ask }: NodeSource, isSlowTurn: boolean): Promise<NodeAnswer> {
  const [metrics, status, cluster, transfers, hints] = await Promise.all(
    ['metrics', 'status', 'cluster status', 'transfers', 'hints'].map((command) => ask(command)),
  );
  const slow = isSlowTurn ? await askSlowly(ask) : undefined;
  const socket = { status, cluster, transfers, hints } as SocketAnswers;
  return { by: 'socket', metrics: String(metrics), socket, slow };
}

async function askSlowly(ask: NodeSource['ask']): Promise<SlowAnswers> {
  const [repair, slowLog, hotKeys] = await Promise.all([
    ask('repair status'),
    ask('slowlog', { limit: SLOW_LOG_ENTRIES }),
    ask('hotkeys'),
  ]);
  return { repair, slowLog, hotKeys } as SlowAnswers;
}

async function askHttp({ fetch }: NodeSource): Promise<NodeAnswer> {
  const [metrics, readiness] = await Promise.all([fetch('/metrics'), fetch('/readyz')]);
  if (!areMetrics(metrics)) throw new Error('what answers at its HTTP port is no node');
  return { by: 'http', metrics, readiness: readiness.trim().slice(0, TEXT_MAX_LENGTH) };
}

/** A failed `fetch` says why in its cause. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  const text = cause instanceof Error && cause.message !== '' ? cause.message : error.message;
  return text.slice(0, TEXT_MAX_LENGTH);
}
