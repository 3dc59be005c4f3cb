/**
 * Values out of a document that nobody vouches for: each reader takes what it names or throws the
 * fault `malformed`, which says what was wrong and repeats nothing of it.
 */

import type { ByteString } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import type { Epoch } from '../base/names.ts';

/** Of names of nodes, hosts and locations, in characters. */
export const NAME_LENGTH_MAX = 1024;

export function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(`${what} is no object`);
  }
  return value as Record<string, unknown>;
}

export function asArray(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw malformed(`${what} is no array`);
  return value;
}

export function asInteger(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value)) throw malformed(`${what} is no integer`);
  return value as number;
}

export function asEpoch(value: unknown): Epoch {
  const epoch = asInteger(value, 'epoch');
  if (epoch < 1) throw malformed('its epoch is below 1');
  return epoch as Epoch;
}

export function asName(value: unknown, what: string): string {
  if (typeof value !== 'string' || value.length > NAME_LENGTH_MAX)
    throw malformed(`${what} is no name`);
  return value;
}

export function asByteString(value: unknown): ByteString {
  // oxlint-disable-next-line no-control-regex
  if (typeof value !== 'string' || !/^[\u0000-\u00ff]*$/.test(value)) {
    throw malformed('a name is no byte string');
  }
  return value as ByteString;
}

/** Each above the one before it, so that there is one way to write them, and none comes twice. */
export function mustRise(names: readonly string[], what: string): void {
  for (let index = 1; index < names.length; index += 1) {
    if ((names[index - 1] ?? '') >= (names[index] ?? '')) throw malformed(`${what} are unsorted`);
  }
}

export function malformed(reason: string): Fault {
  return new Fault('malformed', `the cluster state cannot be read: ${reason}`);
}
