/**
 * The audit log of a node: who changed something, and who was refused; append-only and fsynced.
 *
 * Events that come together are written together, in the order in which they came. What cannot be written is
 * refused with a fault, an error line and a metric, and nothing else of the node stops; the next event
 * tries again.
 *
 * Invariant: what has resolved is on stable storage, in the chain (`audit-line.ts`).
 */

import { Fault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import { AuditFile } from './audit-file.ts';
import type { AuditEvent } from './audit-line.ts';
import { toAuditFault } from './disk-errors.ts';
import { newestEntries, type AuditEntry } from './newest-entries.ts';
import { verifyAudit, type AuditVerdict } from './verify-audit.ts';

export interface AuditLogOptions {
  /** The node's data folder. */
  readonly folder: string;
  readonly node: string;
  readonly fileMaxBytes: number;
  readonly filesMax: number;
}

interface Waiting {
  readonly event: AuditEvent;
  readonly resolve: () => void;
  readonly reject: (fault: Fault) => void;
}

/** Events that wait to be written; beyond it they are refused. */
const WAITING_MAX = 1_000;
/** Events of one write. */
const BATCH_MAX = 100;

export class AuditLog {
  readonly #host: Host;
  readonly #options: AuditLogOptions;
  #waiting: Waiting[] = [];
  #file: AuditFile | undefined;
  /** The one that was written last, closed since because something failed. */
  #left: AuditFile | undefined;
  /** What writes and reads come one after the other behind. */
  #turn: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(host: Host, options: AuditLogOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** Resolves when it is on stable storage; rejects with the fault that keeps it from there. */
  append(event: AuditEvent): Promise<void> {
    const { metrics } = this.#host;
    if (this.#isClosed) return Promise.reject(new Fault('closed', 'the audit log is closed'));
    if (this.#waiting.length >= WAITING_MAX) {
      metrics.count('audit_failures_total');
      return Promise.reject(new Fault('overload', 'too much waits for the audit log'));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ event, resolve, reject });
      if (this.#waiting.length === 1) void this.#inTurn(() => this.#writeWaiting());
    });
  }

  /** Reads all files; what is appended meanwhile waits. Rejects with a fault of the disk. */
  verify(): Promise<AuditVerdict> {
    return this.#inTurn(async () => {
      try {
        return await verifyAudit(this.#options.folder, this.#file?.lastHash);
      } catch (error) {
        throw toAuditFault(error, 'read');
      }
    });
  }

  /** The newest `limit` entries at most, the newest last. Rejects with a fault of the disk. */
  newest(limit: number): Promise<readonly AuditEntry[]> {
    return this.#inTurn(async () => {
      try {
        return await newestEntries(this.#options.folder, limit);
      } catch (error) {
        throw toAuditFault(error, 'read');
      }
    });
  }

  /** Writes what waits; refuses what comes. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#inTurn(() => this.#letGo());
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(run);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, BATCH_MAX);
      this.#waiting = this.#waiting.slice(BATCH_MAX);
      try {
        await this.#write(batch.map(({ event }) => event));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        await this.#fail(batch, error);
      }
    }
  }

  async #write(events: readonly AuditEvent[]): Promise<void> {
    const { metrics } = this.#host;
    const file = await this.#openFile();
    this.#file = file.isFull ? await file.change() : file;
    await this.#file.append(events);
    this.#left = undefined;
    metrics.count('audit_events_total', events.length);
    metrics.gauge('audit_failing', 0);
  }

  async #openFile(): Promise<AuditFile> {
    const file = this.#file ?? this.#left;
    if (file === undefined) return AuditFile.open(this.#fileOptions());
    if (file === this.#file && (await file.isUntouched())) return file;
    // Behind its lines there may be some of the write that failed.
    if (file === this.#left && (await file.isKept())) return AuditFile.open(this.#fileOptions());
    this.#host.metrics.count('audit_files_touched_total');
    this.#host.log.error('audit.file-touched', { folder: this.#options.folder });
    this.#left = file;
    await this.#letGo();
    const next = await AuditFile.open(this.#fileOptions(), file.lastHash);
    // From here on it is let go of with whatever fails.
    this.#file = next;
    await next.append([{ event: 'file-touched' }]);
    return next;
  }

  #fileOptions() {
    const { clock } = this.#host;
    const now = (): string => new Date(clock.wallMicros() / 1_000).toISOString();
    return { ...this.#options, now };
  }

  async #fail(batch: readonly Waiting[], error: unknown): Promise<void> {
    const { log, metrics } = this.#host;
    const fault = toAuditFault(error, 'written');
    metrics.count('audit_failures_total', batch.length);
    metrics.gauge('audit_failing', 1);
    log.error('audit.failed', { code: fault.code, message: fault.message });
    // How much of it was written is looked for when the file is opened again.
    this.#left = this.#file ?? this.#left;
    await this.#letGo();
    for (const { reject } of batch) reject(fault);
  }

  async #letGo(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => undefined);
  }
}
