/**
 * What clients were refused, in the audit log: each login and each permission.
 *
 * Clients decide how often that happens, and the log is bounded: a flood of refusals would push everything
 * else out of it. So in each minute the first are recorded one by one, and of the rest their number.
 */

import { byteStringToUtf8, type ByteString } from '../base/bytes.ts';
import { isFault } from '../base/fault.ts';
import type { Clock } from '../base/host.ts';
import { targetText } from '../security/permission.ts';
import type { Refusal } from '../security/refusals.ts';
import type { AuditEvent } from './audit-line.ts';

const EACH_MINUTE_MAX = 20;
const MINUTE_MS = 60_000;
/** Names are cut to this. */
const NAME_MAX_LENGTH = 256;

/** Where events go. */
export interface AuditSink {
  append(event: AuditEvent): Promise<void>;
}

export class RefusalRecord {
  readonly #clock: Clock;
  readonly #sink: AuditSink;
  #minuteMs = -Infinity;
  #recorded = 0;
  #omitted = 0;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, sink: AuditSink) {
    this.#clock = clock;
    this.#sink = sink;
  }

  note(refusal: Refusal): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#minuteMs >= MINUTE_MS) {
      this.#tellOmitted();
      this.#minuteMs = nowMs;
      this.#recorded = 0;
    }
    this.#recorded += 1;
    if (this.#recorded <= EACH_MINUTE_MAX) {
      this.#append(eventOf(refusal));
      return;
    }
    this.#omitted += 1;
    const leftMs = this.#minuteMs + MINUTE_MS - nowMs;
    this.#cancel ??= this.#clock.after(leftMs, () => this.#tellOmitted());
  }

  /** Tells what there is to tell. */
  close(): void {
    this.#tellOmitted();
  }

  #tellOmitted(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#omitted === 0) return;
    this.#append({ event: 'refusals-omitted', count: this.#omitted });
    this.#omitted = 0;
  }

  /** Clients are refused whether it is recorded or not; a failure is told by the log. */
  #append(event: AuditEvent): void {
    this.#sink.append(event).catch((error: unknown) => {
      if (!isFault(error)) throw error;
    });
  }
}

function eventOf(refusal: Refusal): AuditEvent {
  const { user, address } = refusal;
  const client = { user: nameOf(user), address };
  if (refusal.kind === 'login') return { event: 'login-refused', ...client };
  const { permission, target } = refusal;
  return { event: 'permission-refused', ...client, permission, on: nameOf(targetText(target)) };
}

function nameOf(bytes: string): string {
  return byteStringToUtf8(bytes.slice(0, NAME_MAX_LENGTH) as ByteString);
}
