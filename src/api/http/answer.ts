/**
 * The answer to a request, as a value: resources make it, `transmission.ts` sends it.
 *
 * Headers are a flat list name, value, name, value …, which is what node:http sends without building
 * an object. Strings, of headers and bodies alike, hold one byte to a character, so that names go out
 * as they came in. A body that is a stream is sent chunked. The HTML pages of errors are those of
 * Riak's web machine, which people see in browsers and logs.
 */

export type Chunk = Buffer | string;

export interface Answer {
  readonly status: number;
  /** Belongs to this answer alone: the pipeline appends to it. */
  readonly headers: string[];
  readonly body: Chunk | AsyncIterable<Chunk> | undefined;
  /** The length that HEAD reports where `body` holds nothing: that which GET would send. */
  readonly headSizeBytes?: number;
}

/** A status without a body. */
export function emptyAnswer(status: number, headers: readonly string[] = []): Answer {
  return { status, headers: [...headers], body: undefined };
}

export function textAnswer(status: number, body: string, headers: readonly string[] = []): Answer {
  return { status, headers: ['Content-Type', 'text/plain', ...headers], body };
}

export function typedAnswer(status: number, contentType: string, body: string): Answer {
  return { status, headers: ['Content-Type', contentType], body };
}

export function jsonAnswer(status: number, body: string): Answer {
  return typedAnswer(status, 'application/json', body);
}

/** `detail` is shown in the page of a 500. */
export function htmlAnswer(status: number, detail = '', headers: readonly string[] = []): Answer {
  return { status, headers: ['Content-Type', 'text/html', ...headers], body: page(status, detail) };
}

/** The reason phrases that differ from those node:http knows. */
export function reasonOf(status: number): string | undefined {
  return status === 404 ? 'Object Not Found' : undefined;
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  408: 'Request Timeout',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Request Entity Too Large',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
};

const ADDRESS = '<address>mochiweb+webmachine web server</address>';

function page(status: number, detail: string): string {
  const reason = REASONS[status] ?? '';
  if (status === 404) {
    return (
      '<HTML><HEAD><TITLE>404 Not Found</TITLE></HEAD><BODY><H1>Not Found</H1>' +
      'The requested document was not found on this server.' +
      '<P><HR><ADDRESS>mochiweb+webmachine web server</ADDRESS></BODY></HTML>'
    );
  }
  const head = `<html><head><title>${status} ${reason}</title></head><body><h1>${reason}</h1>`;
  if (status !== 500) return `${head}<p><hr>${ADDRESS}</body></html>`;
  return (
    `${head}The server encountered an error while processing this request:` +
    `<br><pre>${escapeHtml(detail)}</pre><P><HR>${ADDRESS}</body></html>`
  );
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
