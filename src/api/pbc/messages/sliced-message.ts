/**
 * Large messages, read and written in slices: what `message-type.ts` does, with room between for others.
 *
 * Only for messages that tables describe. What is small is read at once also within a large message,
 * because a generator for each part costs more than most parts.
 */

import { SliceBudget, type Sliced } from '../../../base/sliced.ts';
import { assert } from '../../../base/fault.ts';
import {
  append,
  partTypeOf,
  readMessage,
  readTableField,
  requireFields,
  writeTableField,
} from './message-type.ts';
import { LENGTH_WIRE, ProtoReader } from './proto-reader.ts';
import type { Fields, Message, MessageInput, MessageType } from './message-type.ts';
import type { ReaderLimits } from './proto-reader.ts';
import type { ProtoWriter } from './proto-writer.ts';

/** A part of fewer bytes is read at once. */
const PART_SIZE_MAX_BYTES = 4_096;
/** A field takes as long as walking over so much. */
const FIELD_COST_BYTES = 64;

/** As `decodeMessage`. */
export function decodeInSlices<F extends Fields>(
  type: MessageType<F>,
  bytes: Buffer,
  limits: ReaderLimits,
): Sliced<Message<F>> {
  return readInSlices(type, new ProtoReader(bytes, limits));
}

function* readInSlices<F extends Fields>(
  type: MessageType<F>,
  reader: ProtoReader,
): Sliced<Message<F>> {
  assert(type.codec === undefined, 'a large message is described by its table');
  const result: Record<string, unknown> = { ...type.plan.blank };
  const slice = new SliceBudget();
  while (reader.hasMore()) {
    const before = reader.leftBytes;
    const tag = reader.tag();
    const entry = type.plan.entryByNumber[tag >>> 3];
    const part = entry?.wire === (tag & 7) ? partTypeOf(entry) : undefined;
    if (entry === undefined || part === undefined) readTableField(type, reader, { tag, result });
    else {
      const outerEnd = reader.enter();
      const isSmall = reader.leftBytes < PART_SIZE_MAX_BYTES;
      const value = isSmall ? readMessage(part, reader) : yield* readInSlices(part, reader);
      const held = result[entry.name] as readonly unknown[];
      result[entry.name] = entry.label === 'repeated' ? append(held, value) : value;
      reader.leave(outerEnd);
    }
    if (slice.spend(FIELD_COST_BYTES + before - reader.leftBytes)) yield;
  }
  requireFields(type, result);
  return result as Message<F>;
}

/** As `writeMessage`; nothing else may write with this writer meanwhile. */
export function* writeInSlices<F extends Fields>(
  type: MessageType<F>,
  writer: ProtoWriter,
  value: MessageInput<F>,
): Sliced<void> {
  assert(type.codec === undefined, 'a large message is described by its table');
  const record = value as Readonly<Record<string, unknown>>;
  const slice = new SliceBudget();
  for (const entry of type.plan.entries) {
    const held = record[entry.name];
    assert(held !== undefined || entry.label !== 'required', `${type.name} has its ${entry.name}`);
    if (held === undefined) continue;
    const part = entry.wire === LENGTH_WIRE ? partTypeOf(entry) : undefined;
    const items = entry.label === 'repeated' ? (held as readonly unknown[]) : [held];
    for (const item of items) {
      if (part === undefined) writeTableField(entry, writer, item);
      else {
        const mark = writer.open(entry.number);
        yield* writeInSlices(part, writer, item as MessageInput<Fields>);
        writer.close(mark);
      }
      const size = typeof item === 'string' ? item.length : 0;
      if (slice.spend(FIELD_COST_BYTES + size)) yield;
    }
  }
}
