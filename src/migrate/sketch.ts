/**
 * HyperLogLogs as objects: what the object API shows of them, whether Riak or Vertebra stores them, and
 * what a put takes that is to be one at a Vertebra.
 *
 * Registers only grow, and the higher of each pair is the sketch of all that was added to either; so
 * a sketch that is carried twice, or beside others, counts nothing twice.
 */

import { runAtOnce } from '../base/sliced.ts';
import type { ByteString } from '../base/bytes.ts';
import { decodeState, encodeState } from '../datatype/encoding.ts';
import { mergeRegisters } from '../datatype/hyperloglog.ts';
import type { Registers } from '../datatype/hyperloglog.ts';
import { decodeRiakSketch } from './riak-sketch.ts';

export const SKETCH_CONTENT_TYPE = 'application/riak_hll' as ByteString;

/** Of all values together; undefined where one of them is no sketch. */
export function decodeSketches(values: readonly Buffer[]): Registers | undefined {
  const sketches = values.map((value) => decodeSketch(value) ?? decodeRiakSketch(value));
  return sketches.reduce((left, right) => left && right && mergeRegisters(left, right));
}

/** As Vertebra stores it. */
export function decodeSketch(bytes: Buffer): Registers | undefined {
  const state = runAtOnce(decodeState(bytes));
  return state?.kind === 'hll' ? state.registers : undefined;
}

export function encodeSketch(registers: Registers): Buffer {
  return encodeState({ kind: 'hll', registers });
}
