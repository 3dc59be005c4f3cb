/**
 * As much of `curl` as the documents' examples use, so that their test needs no program that a machine may
 * lack: run as a process, prints what curl prints, and on stderr the status. Options it does not know end it.
 */

import { request } from 'node:http';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    request: { type: 'string', short: 'X' },
    header: { type: 'string', short: 'H', multiple: true, default: [] },
    data: { type: 'string', short: 'd', multiple: true, default: [] },
    'data-urlencode': { type: 'string', multiple: true, default: [] },
    get: { type: 'boolean', short: 'G', default: false },
    head: { type: 'boolean', short: 'I', default: false },
    include: { type: 'boolean', short: 'i', default: false },
    silent: { type: 'boolean', short: 's' },
  },
});

const encoded = values['data-urlencode'].map((pair) => {
  const at = pair.indexOf('=') + 1;
  return pair.slice(0, at) + encodeURIComponent(pair.slice(at));
});
const body = [...values.data, ...encoded].join('&');

for (const address of positionals) {
  const url = new URL(values.get ? `${address}?${body}` : address);
  const sends = body !== '' && !values.get;
  const method = values.request ?? (values.head ? 'HEAD' : sends ? 'POST' : 'GET');
  const headers = values.header.map((line): [string, string] => {
    const [name = '', ...rest] = line.split(':');
    return [name, rest.join(':').trim()];
  });
  const asked = request(url, { method });
  if (sends) asked.setHeader('Content-Type', 'application/x-www-form-urlencoded');
  for (const [name, value] of headers) asked.setHeader(name, value);
  asked.on('response', (reply) => {
    process.stderr.write(`${reply.statusCode} ${method} ${url.pathname}\n`);
    if (values.head || values.include) {
      process.stdout.write(
        `HTTP/${reply.httpVersion} ${reply.statusCode} ${reply.statusMessage}\r\n`,
      );
      for (let at = 0; at < reply.rawHeaders.length; at += 2) {
        process.stdout.write(`${reply.rawHeaders[at]}: ${reply.rawHeaders[at + 1]}\r\n`);
      }
      process.stdout.write('\r\n');
    }
    reply.pipe(process.stdout);
  });
  asked.end(sends ? body : undefined);
}
