/**
 * Password hashes: PBKDF2 with HMAC-SHA1 and 65,536 iterations, as Riak keeps them.
 *
 * A hash costs some 30 ms of a core on purpose, so it is made on a thread of the pool, and a few at a
 * time only: the same threads read and write the disk. Who waits is counted and bounded, first come,
 * first served; past the bound the caller is told at once. A wait is as long as those before it take.
 */

import { pbkdf2, timingSafeEqual } from 'node:crypto';
import { byteStringToBytes, type ByteString } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import type { Metrics } from '../base/host.ts';
import { SECURITY_LIMITS, type PasswordHash } from './security-state.ts';

export const SALT_BYTES = 16;

const ITERATIONS = 65_536;
const HASH_BYTES = 20;

export interface PasswordHasherOptions {
  /** The pool has four threads, and the disk needs some. Default 2. */
  readonly underWayMax?: number;
  /** Default 128. */
  readonly waitingMax?: number;
}

/** What a password is compared with where there is none. */
const NO_PASSWORD: PasswordHash = {
  salt: '00'.repeat(SALT_BYTES),
  hash: '00'.repeat(HASH_BYTES),
};

export class PasswordHasher {
  readonly #metrics: Metrics;
  readonly #underWayMax: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;

  constructor(metrics: Metrics, options: PasswordHasherOptions = {}) {
    this.#metrics = metrics;
    this.#underWayMax = options.underWayMax ?? 2;
    this.#waitingMax = options.waitingMax ?? 128;
  }

  /** `salt`: `SALT_BYTES` random bytes. Rejects with `overload` where too many wait. */
  async hash(password: ByteString, salt: Buffer): Promise<PasswordHash> {
    const hash = await this.#derive(password, salt);
    return { salt: salt.toString('hex'), hash: hash.toString('hex') };
  }

  /** Takes as long, and is false, where there is no password or it is too long to be one. */
  async matches(password: string, expected: PasswordHash | undefined): Promise<boolean> {
    const isPossible = expected !== undefined && password.length <= SECURITY_LIMITS.passwordBytes;
    const { salt, hash } = isPossible ? expected : NO_PASSWORD;
    const tried = isPossible ? password : '';
    const derived = await this.#derive(tried as ByteString, Buffer.from(salt, 'hex'));
    return timingSafeEqual(derived, Buffer.from(hash, 'hex')) && isPossible;
  }

  async #derive(password: ByteString, salt: Buffer): Promise<Buffer> {
    if (this.#underWay >= this.#underWayMax) await this.#turn();
    else this.#underWay += 1;
    this.#metrics.gauge('security_hashes_under_way', this.#underWay);
    try {
      return await derive(byteStringToBytes(password), salt);
    } finally {
      // Its place goes to the next, if there is one.
      const next = this.#waiting.shift();
      if (next === undefined) this.#underWay -= 1;
      else next();
      this.#metrics.gauge('security_hashes_under_way', this.#underWay);
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= this.#waitingMax) {
      this.#metrics.count('security_hashes_refused_total');
      return Promise.reject(new Fault('overload', 'too many passwords are being checked'));
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}

function derive(password: Buffer, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    pbkdf2(password, salt, ITERATIONS, HASH_BYTES, 'sha1', (error, hash) => {
      if (error === null) resolve(hash);
      else reject(error);
    });
  });
}
