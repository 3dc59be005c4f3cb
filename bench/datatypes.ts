/**
 * `node build/bench/datatypes.js`: each data type over both client APIs, small and large.
 *
 * The node is a thread of its own (`datatype-node.ts`), which tells the longest time that its event loop
 * stood still during an operation: so long every other request of the node had to wait. Whole: a new
 * key, with all elements or fields in one request; small: one element more; body: the same, with the
 * value in the reply. Fields are registers. `--only set` measures one data type.
 */

import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { FrameDecoder, encodeFrame } from '../src/api/pbc/framing.ts';
import { DtFetchReq, DtUpdateReq, type DtOp } from '../src/api/pbc/messages/datatype-messages.ts';
import type { InputOf } from '../src/api/pbc/messages/message-type.ts';
import { ProtoWriter } from '../src/api/pbc/messages/proto-writer.ts';
import { utf8ToByteString } from '../src/base/bytes.ts';
import { textTable } from '../src/cli/text-table.ts';
import type { DatatypeName } from '../src/datatype/operation.ts';

const ROWS: readonly (readonly [datatype: DatatypeName, count: number])[] = [
  ['counter', 1],
  ['set', 10],
  ['set', 1_000],
  ['set', 100_000],
  ['gset', 10],
  ['gset', 100_000],
  ['map', 10],
  ['map', 1_000],
  ['map', 10_000],
  ['hll', 10],
  ['hll', 100_000],
];
/** Of each operation; large ones are done less often. */
const OPERATION_MS = 500;
const OPERATIONS_MIN = 4;
const ERROR_CODE = 0;

const { values: options } = parseArgs({ options: { only: { type: 'string' } } });
const writer = new ProtoWriter();
const worker = new Worker(new URL('datatype-node.js', import.meta.url));
const { httpPort, pbcPort } = await heard<{ httpPort: number; pbcPort: number }>();
const socket = connect(pbcPort, '127.0.0.1');
const HEAD = ['', 'elements', 'operation', 'PB ms', 'stall', 'HTTP ms', 'stall'];
const lines: string[][] = [];
for (const [datatype, count] of ROWS) {
  if (options.only !== undefined && options.only !== datatype) continue;
  await measureRows(datatype, count);
}
console.log(textTable(HEAD, lines));
socket.destroy();
await worker.terminate();

async function measureRows(datatype: DatatypeName, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `element-${index}`);
  const whole = operationsOf(datatype, names);
  let next = count;
  const more = () => operationsOf(datatype, [`element-${(next += 1)}`]);
  const fill = `k${count}`;
  await pbUpdate(datatype, fill, { op: whole.op });
  const each: readonly [string, () => Promise<void>, () => Promise<void>][] = [
    [
      'whole',
      () => pbUpdate(datatype, `p${(next += 1)}`, { op: whole.op }),
      () => httpUpdate(datatype, `h${(next += 1)}`, whole.json),
    ],
    [
      'small',
      () => pbUpdate(datatype, fill, { op: more().op }),
      () => httpUpdate(datatype, fill, more().json),
    ],
    [
      'body',
      () => pbUpdate(datatype, fill, { op: more().op, return_body: true }),
      () => httpUpdate(datatype, `${fill}?returnbody=true`, more().json),
    ],
    ['fetch', () => pbFetch(datatype, fill), () => httpFetch(datatype, fill)],
  ];
  for (const [label, byPb, byHttp] of each) {
    lines.push([datatype, String(count), label, ...(await timed(byPb)), ...(await timed(byHttp))]);
  }
}

/** The median, and the longest stall of the node, in ms. */
async function timed(run: () => Promise<void>): Promise<[string, string]> {
  await run();
  await stallMs();
  const endMs = performance.now() + OPERATION_MS;
  const times: number[] = [];
  while (performance.now() < endMs || times.length < OPERATIONS_MIN) {
    const startMs = performance.now();
    await run();
    times.push(performance.now() - startMs);
  }
  times.sort((left, right) => left - right);
  const median = times[Math.floor(times.length / 2)] ?? 0;
  return [median.toFixed(median < 10 ? 2 : 0), (await stallMs()).toFixed(0)];
}

function stallMs(): Promise<number> {
  const delay = heard<number>();
  worker.postMessage('reset', []);
  return delay;
}

function heard<T>(): Promise<T> {
  return new Promise((resolve) => {
    worker.once('message', resolve);
  });
}

/** The same in both languages. */
function operationsOf(
  datatype: DatatypeName,
  texts: readonly string[],
): { readonly op: InputOf<typeof DtOp>; readonly json: string } {
  const names = texts.map(utf8ToByteString);
  switch (datatype) {
    case 'counter':
      return { op: { counter_op: { increment: 1n } }, json: '1' };
    case 'set':
      return { op: { set_op: { adds: names } }, json: JSON.stringify({ add_all: texts }) };
    case 'gset':
      return { op: { gset_op: { adds: names } }, json: JSON.stringify({ add_all: texts }) };
    case 'hll':
      return { op: { hll_op: { adds: names } }, json: JSON.stringify({ add_all: texts }) };
    case 'map': {
      const updates = names.map((name) => {
        return { field: { name, type: 'REGISTER' as const }, register_op: name };
      });
      const update = Object.fromEntries(texts.map((text) => [`${text}_register`, text]));
      return { op: { map_op: { updates } }, json: JSON.stringify({ update }) };
    }
  }
}

function pbUpdate(
  datatype: DatatypeName,
  key: string,
  request: Pick<InputOf<typeof DtUpdateReq>, 'op' | 'return_body'>,
): Promise<void> {
  const message = { ...address(datatype, key), ...request };
  return asked(Buffer.concat(encodeFrame(writer, DtUpdateReq, message)));
}

function pbFetch(datatype: DatatypeName, key: string): Promise<void> {
  return asked(Buffer.concat(encodeFrame(writer, DtFetchReq, address(datatype, key))));
}

function address(datatype: DatatypeName, key: string) {
  const [type, bucket, name] = [datatype, 'b', key].map(utf8ToByteString);
  if (type === undefined || bucket === undefined || name === undefined) throw new Error('no name');
  return { type, bucket, key: name };
}

/** One request and its reply, which is not decoded. */
async function asked(frame: Buffer): Promise<void> {
  const decoder = new FrameDecoder(2 ** 30);
  socket.write(frame);
  const code = await firstCode(socket, decoder);
  if (code === ERROR_CODE) throw new Error('the node answered with an error');
}

function firstCode(from: Socket, decoder: FrameDecoder): Promise<number> {
  return new Promise((resolve) => {
    const onData = (piece: Buffer): void => {
      decoder.push(piece);
      const outcome = decoder.next();
      if (outcome.kind !== 'frame') return;
      from.off('data', onData);
      resolve(outcome.frame.code);
    };
    from.on('data', onData);
  });
}

function httpUpdate(datatype: DatatypeName, path: string, body: string): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  return fetched(datatype, path, { method: 'POST', headers, body });
}

function httpFetch(datatype: DatatypeName, path: string): Promise<void> {
  return fetched(datatype, path, {});
}

async function fetched(datatype: string, path: string, init: RequestInit): Promise<void> {
  const url = `http://127.0.0.1:${httpPort}/types/${datatype}/buckets/b/datatypes/${path}`;
  const response = await fetch(url, init);
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${response.status}`);
}
