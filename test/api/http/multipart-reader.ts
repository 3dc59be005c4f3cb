/**
 * Reads multipart bodies in tests, strictly as Riak's clients do.
 */

export interface Part {
  /** By name in lower case; repeated ones are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Throws where the framing is broken. */
export function parseMultipart(body: Buffer, boundary: string): readonly Part[] {
  const pieces = body.toString('latin1').split(`\r\n--${boundary}`);
  if (pieces[0] !== '' || pieces.at(-1) !== '--\r\n') throw new Error('broken multipart framing');
  return pieces.slice(1, -1).map((piece) => {
    const end = piece.indexOf('\r\n\r\n');
    const lines = piece.slice(0, end).split('\r\n').filter(Boolean);
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(': ');
      const field = line.slice(0, colon).toLowerCase();
      const earlier = headers[field];
      const value = line.slice(colon + 2);
      headers[field] = earlier === undefined ? value : `${earlier}, ${value}`;
    }
    return {
      headers,
      body: Buffer.from(piece.slice(end + 4), 'latin1'),
    };
  });
}
