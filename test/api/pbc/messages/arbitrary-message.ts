/**
 * Random messages of any type, made from the type's own table.
 */

import fc from 'fast-check';
import { bytesToByteString } from '../../../../src/base/bytes.ts';
import type {
  FieldType,
  Fields,
  Message,
  MessageType,
} from '../../../../src/api/pbc/messages/message-type.ts';

const DEPTH_MAX = 3;

/** As `decodeMessage` would give it: with undefined for what is absent. */
export function arbitraryMessage<F extends Fields>(
  type: MessageType<F>,
  depth = 0,
): fc.Arbitrary<Message<F>> {
  const record: Record<string, fc.Arbitrary<unknown>> = {};
  for (const [name, field] of Object.entries(type.fields)) {
    const value = arbitraryValue(field.type, depth);
    if (field.label === 'required') record[name] = value;
    else if (depth >= DEPTH_MAX && isNested(field.type)) {
      record[name] = fc.constant(field.label === 'repeated' ? [] : undefined);
    } else if (field.label === 'repeated') record[name] = fc.array(value, { maxLength: 3 });
    else record[name] = fc.option(value, { nil: undefined });
  }
  return fc.record(record, { noNullPrototype: true }) as unknown as fc.Arbitrary<Message<F>>;
}

const arbitraryBytes = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));

function arbitraryValue(type: FieldType, depth: number): fc.Arbitrary<unknown> {
  switch (type) {
    case 'bytes':
      return arbitraryBytes;
    case 'byteString':
      return arbitraryBytes.map(bytesToByteString);
    case 'bool':
      return fc.boolean();
    case 'uint32':
      return fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 0xffff_ffff }));
    case 'uint64':
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    case 'int64':
    case 'sint64':
      return fc.oneof(
        fc.bigInt({ min: -300n, max: 300n }),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      );
    default:
      if (typeof type === 'object' && 'nameByNumber' in type) {
        return fc.constantFrom(...type.nameByNumber.values());
      }
      return depth >= DEPTH_MAX && typeof type === 'function'
        ? fc.constant(undefined)
        : arbitraryMessage(typeof type === 'function' ? type() : type, depth + 1);
  }
}

function isNested(type: FieldType): boolean {
  return typeof type === 'function' || (typeof type === 'object' && 'fields' in type);
}
