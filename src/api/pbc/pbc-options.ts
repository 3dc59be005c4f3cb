/**
 * What the Protocol Buffers server can be told, with the limits that keep a hostile client cheap.
 */

import type { Tracer } from '../../base/span.ts';
import type { SlowLog } from '../../node/slow-log.ts';
import type { ScriptEngine } from '../../mapreduce/script.ts';
import type { ListenerCertificates } from '../../security/listener-certificates.ts';
import type { JobClass } from '../../object/job-class.ts';

const MEBIBYTE = 1024 * 1024;

export interface PbcOptions {
  /** Largest frame taken, code included; beyond it an error and close. */
  readonly frameSizeMaxBytes: number;
  /** Fields in one request, those of nested messages included. */
  readonly fieldCountMax: number;
  /** Largest answer of one message; what may become larger can be asked for as a stream. */
  readonly replySizeMaxBytes: number;
  /** Unread answers of a connection above which its next request waits. */
  readonly outputMaxBytes: number;
  /** Requests held at once, all connections together; beyond it `overload` and close. */
  readonly receiveBudgetBytes: number;
  /** Connections above this are refused at once. */
  readonly connectionsMax: number;
  /** How long a connection may rest between requests; Infinity: pools of Riak's clients rest as long as they like. */
  readonly idleTimeoutMs: number;
  /** From the first byte of a request to its last; large ones get more. */
  readonly frameTimeoutMs: number;
  /** How long a client may leave an answer unread; large ones get more. */
  readonly stallTimeoutMs: number;
  /** How long requests under way may take when the server is closed. */
  readonly closeTimeoutMs: number;
  /** For STARTTLS; undefined: this node has none, and serves nobody while security is on. */
  readonly certificates: ListenerCertificates | undefined;
  /** From STARTTLS to the end of the handshake. */
  readonly handshakeTimeoutMs: number;
  /** Work that is refused. */
  readonly disabledJobs: ReadonlySet<JobClass>;
  /** Runs JavaScript of MapReduce jobs; undefined: it is refused. */
  readonly scripts: ScriptEngine | undefined;
  /** Is told of each request that has ended; undefined: nobody is. */
  readonly slowLog: SlowLog | undefined;
  /** Traces requests; undefined: nobody does. */
  readonly tracer: Tracer | undefined;
  /** Told of anything thrown that is no fault. */
  readonly onBug: (error: unknown) => void;
}

/** An object of 50 MiB, with room for its metadata. */
export const PBC_DEFAULTS: Omit<PbcOptions, 'onBug'> = {
  frameSizeMaxBytes: 51 * MEBIBYTE,
  fieldCountMax: 262_144,
  replySizeMaxBytes: 64 * MEBIBYTE,
  outputMaxBytes: MEBIBYTE,
  receiveBudgetBytes: 512 * MEBIBYTE,
  connectionsMax: 10_000,
  idleTimeoutMs: Infinity,
  frameTimeoutMs: 60_000,
  stallTimeoutMs: 60_000,
  closeTimeoutMs: 30_000,
  certificates: undefined,
  handshakeTimeoutMs: 10_000,
  disabledJobs: new Set(),
  scripts: undefined,
  slowLog: undefined,
  tracer: undefined,
};
