/**
 * What the HTTP server can be told, with the limits that keep a hostile client cheap.
 */

import { QUERY_LIMITS } from '../../query/query-holds.ts';
import type { Tracer } from '../../base/span.ts';
import type { SlowLog } from '../../node/slow-log.ts';
import type { ScriptEngine } from '../../mapreduce/script.ts';
import type { JobClass } from '../../object/job-class.ts';
import type { QueryLimits } from '../../query/query-holds.ts';

export interface HttpOptions {
  /** Largest request body in bytes; beyond it 413 and close. */
  readonly bodyLimitBytes: number;
  /** Bytes of request bodies held at once, all connections together; beyond it 503. */
  readonly bodyBudgetBytes: number;
  /** Request line and headers together, in bytes; beyond it 400 and close. */
  readonly headerLimitBytes: number;
  /** From this many header lines on 400 and close. */
  readonly headerCountLimit: number;
  /** Connections above this are refused at once. */
  readonly connectionsMax: number;
  /** Requests one connection may have waiting behind the one under way; beyond it it is closed. */
  readonly pipelinedMax: number;
  /** Requests that wait for room at the node; with so many, connections at rest are not read. */
  readonly waitingMax: number;
  /** After so long a connection that is not read is asked whether it has a request, which is refused. */
  readonly unreadMaxMs: number;
  /** From the first byte of a connection to the end of the TLS handshake. */
  readonly handshakeTimeoutMs: number;
  /** From the first byte of a connection or request to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** From the first byte of a request to the end of its body. */
  readonly requestTimeoutMs: number;
  /** How long a kept connection may rest between requests. */
  readonly idleTimeoutMs: number;
  /** How long a client may leave an answer unread. */
  readonly stallTimeoutMs: number;
  /** Work that is refused with 403. */
  readonly disabledJobs: ReadonlySet<JobClass>;
  readonly queryLimits: QueryLimits;
  /** Runs JavaScript of MapReduce jobs; undefined: it is refused. */
  readonly scripts: ScriptEngine | undefined;
  /** Is told of each request that has ended; undefined: nobody is. */
  readonly slowLog: SlowLog | undefined;
  /** Traces requests; undefined: nobody does. */
  readonly tracer: Tracer | undefined;
  /** What `/stats` shows. */
  readonly stats: () => Readonly<Record<string, unknown>>;
  /** What `/metrics` shows: OpenMetrics text, for Prometheus and its like. */
  readonly metrics: () => string;
  /** Told of anything thrown that is no fault: a bug. The client gets a 500. */
  readonly onBug: (error: unknown) => void;
}

export const HTTP_DEFAULTS: Omit<HttpOptions, 'stats' | 'metrics' | 'onBug'> = {
  bodyLimitBytes: 50 * 1024 * 1024,
  bodyBudgetBytes: 512 * 1024 * 1024,
  headerLimitBytes: 256 * 1024,
  headerCountLimit: 1000,
  connectionsMax: 10_000,
  pipelinedMax: 128,
  waitingMax: 256,
  unreadMaxMs: 3_000,
  handshakeTimeoutMs: 10_000,
  headersTimeoutMs: 30_000,
  requestTimeoutMs: 300_000,
  idleTimeoutMs: 300_000,
  stallTimeoutMs: 60_000,
  disabledJobs: new Set(),
  queryLimits: QUERY_LIMITS,
  scripts: undefined,
  slowLog: undefined,
  tracer: undefined,
};
