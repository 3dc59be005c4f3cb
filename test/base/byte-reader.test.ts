/** Byte readers and writers: what was written is read, what is missing is noticed. */

import fc from 'fast-check';
import t from 'tap';
import { ByteReader } from '../../src/base/byte-reader.ts';
import { ByteWriter } from '../../src/base/byte-writer.ts';
import { bytesToByteString } from '../../src/base/bytes.ts';

const fields = fc.oneof(
  fc.record({ kind: fc.constant('u8' as const), value: fc.nat(0xff) }),
  fc.record({ kind: fc.constant('u32' as const), value: fc.nat(0xffff_ffff) }),
  fc.record({ kind: fc.constant('varint' as const), value: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant('bytes' as const), value: fc.uint8Array({ maxLength: 90 }) }),
  fc.record({ kind: fc.constant('text' as const), value: fc.uint8Array({ maxLength: 90 }) }),
);

type Field = typeof fields extends fc.Arbitrary<infer F> ? F : never;

function write(writer: ByteWriter, field: Field): void {
  if (field.kind === 'bytes') writer.raw(field.value);
  else if (field.kind === 'text') writer.byteString(bytesToByteString(field.value));
  else writer[field.kind](field.value);
}

function readsBack(reader: ByteReader, field: Field): boolean {
  if (field.kind === 'bytes') return reader.view(field.value.length).equals(field.value);
  if (field.kind === 'text') {
    return reader.byteString(field.value.length) === bytesToByteString(field.value);
  }
  return reader[field.kind]() === field.value;
}

t.test('fields come back in the order in which they were written', (t) => {
  fc.assert(
    fc.property(fc.array(fields, { maxLength: 20 }), (list) => {
      const writer = new ByteWriter(0);
      for (const field of list) write(writer, field);
      const reader = new ByteReader(writer.written());
      const areBack = list.every((field) => readsBack(reader, field));
      return (
        areBack &&
        reader.isSound &&
        reader.remaining === 0 &&
        writer.size === writer.written().length
      );
    }),
  );
  t.end();
});

t.test('a reader that met the end stays unsound', (t) => {
  fc.assert(
    fc.property(fc.array(fields, { minLength: 1, maxLength: 9 }), fc.nat(), (list, cut) => {
      const writer = new ByteWriter(0);
      for (const field of list) write(writer, field);
      if (writer.size === 0) return true;
      const reader = new ByteReader(writer.written().subarray(0, cut % writer.size));
      for (const field of list) readsBack(reader, field);
      return !reader.isSound && reader.varint() === 0 && reader.byteString(1) === '';
    }),
  );
  t.end();
});

t.test('varints above 2^53 - 1 and without an end are refused', (t) => {
  for (const bytes of [
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
  ]) {
    const reader = new ByteReader(Buffer.from(bytes));
    t.equal(reader.varint(), 0);
    t.notOk(reader.isSound);
  }
  t.throws(() => new ByteWriter(0).varint(-1));
  t.throws(() => new ByteWriter(0).varint(2 ** 53));
  t.end();
});

t.test('a field can be filled in after what follows it', (t) => {
  const writer = new ByteWriter(4);
  writer.u32(0);
  writer.u8(7);
  writer.u32At(0, 0xdead_beef);
  t.equal(writer.written().toString('hex'), 'deadbeef07');
  t.throws(() => writer.u32At(2, 0));
  t.end();
});
