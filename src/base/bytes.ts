/**
 * Byte strings.
 *
 * Riak's names (bucket type, bucket, key, index terms, user metadata) are bytes, not text. They are
 * held as `ByteString`: a string in which each character is one byte (latin1). That makes them cheap
 * map keys, comparable bytewise with `<`, and just what murmurhash3js expects. Text enters and leaves
 * through UTF-8 explicitly, so 'é' never becomes one byte by accident.
 */

/** Bytes held one to a character (U+0000 to U+00FF). */
export type ByteString = string & { readonly __byteString: unique symbol };

/** Each byte becomes one character. */
export function bytesToByteString(bytes: Uint8Array): ByteString {
  return asBuffer(bytes).toString('latin1') as ByteString;
}

/** The bytes that the characters stand for; characters above U+00FF keep their low byte only. */
export function byteStringToBytes(text: ByteString): Buffer {
  return Buffer.from(text, 'latin1');
}

/** The UTF-8 bytes of a text. */
export function utf8ToByteString(text: string): ByteString {
  // Pure ASCII is its own UTF-8, which is the common case for keys.
  return (isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1')) as ByteString;
}

/** The text whose UTF-8 bytes these are; ill-formed sequences become U+FFFD. */
export function byteStringToUtf8(bytes: ByteString): string {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
}

/** A view of the same memory as a Buffer; nothing is copied. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) > 0x7f) return false;
  }
  return true;
}
