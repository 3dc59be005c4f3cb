/**
 * What carries the bytes of links and streams: gRPC, or what stands for it where time is virtual.
 *
 * Named here is what this room asks of gRPC's calls, and nothing else, so that all above them (who is
 * let in, frames, windows, deadlines, dialling) is one code on a real network and on a simulated one.
 * A call delivers frames whole and in order, until it ends once.
 */

import type { PeerCertificate } from 'node:tls';
import type { status } from '@grpc/grpc-js';
import type { PeerAddress } from './channel.ts';

/** Runs what it is given when this turn of the event loop is over, as `setImmediate`. */
export type Defer = (run: () => void) => void;

export interface Carrier {
  dial(address: PeerAddress, use: 'link' | 'bulk'): Connection;
  readonly defer: Defer;
}

export interface Connection {
  openLink(): LinkCall;
  openStream(question: Buffer): StreamCall;
  /** Rejects with a fault: `peer-unreachable` or `timeout`. */
  ask(question: Buffer, timeoutMs: number): Promise<Buffer>;
  /** Nothing is opened on it any more. Idempotent. */
  close(): void;
}

/** What frames are written to. */
export interface FrameSink {
  write(frame: Buffer, written?: () => void): boolean;
}

interface Heard {
  on(event: 'data', listener: (frame: Buffer) => void): unknown;
  on(event: 'end' | 'cancelled', listener: () => void): unknown;
  on(event: 'error', listener: (error: CallError) => void): unknown;
}

/** Why a call ended. */
export interface CallError extends Error {
  readonly code: status;
  readonly details: string;
}

interface Paused {
  pause(): unknown;
  resume(): unknown;
}

interface Served {
  getAuthContext(): { readonly sslPeerCertificate?: PeerCertificate };
  /** Ends the call with a status. */
  emit(event: 'error', status: Pick<CallError, 'code' | 'details'>): boolean;
  end(): unknown;
}

/** A link, at the end that dialled. */
export interface LinkCall extends FrameSink, Heard {
  cancel(): void;
}

/** A bulk stream, at the end that asked. */
export interface StreamCall extends Heard, Paused {
  cancel(): void;
}

/** A link, at the end that was dialled. */
export interface ServedLink extends FrameSink, Heard, Paused, Served {
  isPaused(): boolean;
  getPeer(): string;
}

/** A bulk stream, at the end that answers. */
export interface ServedStream extends FrameSink, Heard, Served {
  readonly request: Buffer;
}

/** A question that has one answer. */
export interface ServedQuestion extends Pick<Served, 'getAuthContext'> {
  readonly request: Buffer;
}

export type Answer = (error: Pick<CallError, 'code' | 'details'> | null, answer?: Buffer) => void;
