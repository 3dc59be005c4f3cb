/**
 * The wire form of inputs that a peer is to map, and of what each came to.
 *
 * | value | form |
 * |---|---|
 * | inputs | flat: type, bucket, key, key data or nil, one after the other |
 * | outputs | the results' bytes; nil: no copy; false: the asker must map it itself |
 */

import type { MapInput, MapOutput } from './messages.ts';
import { malformed } from './tuple-reader.ts';
import type { TupleReader, WireTuple, WireValue } from './tuple-reader.ts';
import { readKey } from './wire-values.ts';

export function mapInputsToTuple(inputs: readonly MapInput[]): WireTuple {
  const fields: WireValue[] = [];
  for (const { key, keyData } of inputs)
    fields.push(key.type, key.bucket, key.key, keyData ?? null);
  return fields;
}

export function readMapInput(reader: TupleReader): MapInput {
  return { key: readKey(reader), keyData: reader.optional((field) => field.bytes()) };
}

export function mapOutputsToTuple(outputs: readonly MapOutput[]): WireTuple {
  return outputs.map((output) => {
    if (Buffer.isBuffer(output)) return output;
    return output === 'absent' ? null : false;
  });
}

export function readMapOutputs(reader: TupleReader): MapOutput[] {
  return reader.list((list) => {
    const output = list.optional(readOutput);
    return output ?? 'absent';
  });
}

function readOutput(reader: TupleReader): MapOutput {
  const value = reader.raw();
  if (value === false) return 'unable';
  if (!(value instanceof Uint8Array)) throw malformed('no output of a map');
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
