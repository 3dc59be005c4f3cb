/**
 * Logging in: what a connection may say while security is on and nobody is admitted.
 *
 * In clear that is STARTTLS and nothing else; over TLS it is one's name and password. A wrong one is
 * told after a pause, which holds up this connection alone, and after the third the connection ends.
 * Nothing is answered here from the store.
 */

import { isFault } from '../../base/fault.ts';
import { sleep } from '../../base/host.ts';
import { errorReply, malformedReply, reply } from './handler.ts';
import { decodeMessage } from './messages/message-type.ts';
import { RpbAuthReq, RpbAuthResp, RpbStartTls } from './messages/server-messages.ts';
import { strangerText } from './permissions.ts';
import type { Frame } from './framing.ts';
import type { Reply, Session } from './handler.ts';
import type { MessageOf } from './messages/message-type.ts';
import type { PbcOptions } from './pbc-options.ts';

const FAILURE_DELAY_MS = 5_000;
const FAILURES_MAX = 3;

/** A stranger's frames may not be larger: a name and a password are short. */
export const STRANGER_MAX_BYTES = 64 * 1024;

export type Meeting = Reply | Promise<Reply> | 'start-tls';

const ADMITTED = reply(RpbAuthResp, {});
const NO_TLS = errorReply('Security is enabled, but this node has no certificate for its clients');

export class LogIn {
  readonly #session: Session;
  readonly #options: PbcOptions;
  #failures = 0;

  constructor(session: Session, options: PbcOptions) {
    this.#session = session;
    this.#options = options;
  }

  /** Whether the client has yet to say who it is. */
  get isAwaited(): boolean {
    const { user, node } = this.#session;
    return user === undefined && node.gatekeeper.isEnabled();
  }

  /** Answers a frame of a stranger. Rejects with faults only. */
  meet({ code, body }: Frame): Meeting {
    if (this.#session.isEncrypted) {
      return code === RpbAuthReq.code ? this.#authenticate(body) : this.#turnAway();
    }
    if (code !== RpbStartTls.code) return this.#turnAway();
    return this.#options.certificates === undefined ? NO_TLS : 'start-tls';
  }

  #turnAway(): Reply {
    this.#session.metrics.count('pbc_strangers_refused_total');
    return errorReply(strangerText(this.#session));
  }

  #authenticate(body: Buffer): Reply | Promise<Reply> {
    try {
      return this.#admit(decodeMessage(RpbAuthReq, body, this.#options));
    } catch (error) {
      if (!isFault(error, 'malformed')) throw error;
      this.#session.metrics.count('pbc_malformed_total');
      return malformedReply(error.message);
    }
  }

  async #admit({ user, password }: MessageOf<typeof RpbAuthReq>): Promise<Reply> {
    const { node, address, certificateName, clock, metrics } = this.#session;
    const isAdmitted = await node.gatekeeper.authenticate({
      user,
      password,
      address,
      ...(certificateName === undefined ? {} : { certificateName }),
    });
    if (isAdmitted) {
      this.#session.user = user;
      return ADMITTED;
    }
    metrics.count('pbc_auth_failed_total');
    this.#failures += 1;
    await sleep(clock, FAILURE_DELAY_MS);
    const refusal = errorReply('Authentication failed');
    return this.#failures < FAILURES_MAX ? refusal : { ...refusal, isFinal: true };
  }
}
