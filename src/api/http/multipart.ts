/**
 * Multipart bodies as Riak writes them.
 *
 *   \r\n--BOUNDARY\r\n  part headers, each \r\n  \r\n  body   …   \r\n--BOUNDARY--\r\n
 *
 * A body that is only measured (for HEAD) is given as its size.
 */

export class MultipartWriter {
  readonly #boundary: string;
  readonly #pieces: Buffer[] = [];
  #sizeBytes = 0;

  constructor(boundary: string) {
    this.#boundary = boundary;
  }

  /** `headers` is a flat list name, value …, one character to a byte. */
  part(headers: readonly string[], body: Buffer | number): void {
    this.#add(Buffer.from(`\r\n--${this.#boundary}\r\n${headerLines(headers)}\r\n`, 'latin1'));
    if (typeof body === 'number') this.#sizeBytes += body;
    else this.#add(body);
  }

  /** The whole body; where a part was a size, only the size of the whole means anything. */
  end(): Buffer {
    this.#add(Buffer.from(`\r\n--${this.#boundary}--\r\n`, 'latin1'));
    return Buffer.concat(this.#pieces);
  }

  /** To be asked after `end`. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  #add(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#sizeBytes += piece.length;
  }
}

function headerLines(headers: readonly string[]): string {
  let lines = '';
  for (let index = 0; index + 1 < headers.length; index += 2) {
    lines += `${headers[index]}: ${headers[index + 1]}\r\n`;
  }
  return lines;
}
