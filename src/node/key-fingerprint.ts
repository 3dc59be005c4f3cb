/**
 * How a key is told apart where it must not be told: in logs and in what an operator is shown unasked.
 *
 * A key may be a patient's number, and there are so few of those that a plain hash of one is found by
 * trying all. So it is a MAC under a salt of this process, which nobody is told: two mentions of one key
 * by one process look alike, and nothing else follows from them. `admin key locate` tells the
 * fingerprint of a key that an operator names.
 */

import { createHmac } from 'node:crypto';
import type { Random } from '../base/host.ts';
import { keyToString, type ObjectKey } from '../base/names.ts';

const SALT_SIZE_BYTES = 32;
/** 48 bits: some hundred keys that are shown side by side do not look alike by chance. */
const LENGTH = 12;

export class KeyFingerprint {
  readonly #random: Random;
  #salt: Buffer | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Twelve hexadecimal digits. */
  of(key: ObjectKey): string {
    this.#salt ??= this.#random.bytes(SALT_SIZE_BYTES);
    const mac = createHmac('sha256', this.#salt).update(keyToString(key), 'latin1');
    return mac.digest('hex').slice(0, LENGTH);
  }
}
