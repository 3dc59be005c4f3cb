/**
 * The bodies of a `multipart/mixed` answer, which is how HTTP carries siblings (RFC 2046).
 */

const CRLF = '\r\n';

/** Views of the parts' bodies; none where the text is not of that form. */
export function multipartBodies(contentType: string | undefined, text: Buffer): Buffer[] {
  const boundary = /boundary="?([^";]+)"?/.exec(contentType ?? '')?.[1];
  if (boundary === undefined) return [];
  const delimiter = `${CRLF}--${boundary}`;
  const bodies: Buffer[] = [];
  // The first delimiter may stand at the very beginning, without a line's end before it.
  let start = text.indexOf(`--${boundary}`);
  while (start >= 0) {
    const headEnd = text.indexOf(CRLF + CRLF, start);
    const end = text.indexOf(delimiter, start + 2);
    if (headEnd < 0 || end < 0) break;
    bodies.push(text.subarray(headEnd + 2 * CRLF.length, end));
    start = end + CRLF.length;
  }
  return bodies;
}
