/**
 * The node of `bench/datatypes.ts`, in a thread of its own: one node, n=1, on a memory store, with both
 * client APIs, so that what is measured is the data types' own computing. Answers each message with the
 * longest delay of this thread's event loop since the last one.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parentPort } from 'node:worker_threads';
import { HTTP_DEFAULTS } from '../src/api/http/http-options.ts';
import { HttpServer } from '../src/api/http/http-server.ts';
import { PbcServer } from '../src/api/pbc/pbc-server.ts';
import { utf8ToByteString } from '../src/base/bytes.ts';
import { Fault } from '../src/base/fault.ts';
import type { NodeId } from '../src/base/names.ts';
import { initialState } from '../src/membership/initial-state.ts';
import { VertebraNode } from '../src/node/node.ts';
import { MemoryStore } from '../src/storage/memory-store.ts';
import { systemHost } from '../src/telemetry/system-host.ts';

const DATATYPES = ['counter', 'set', 'gset', 'map', 'hll'] as const;
const nothing = (): void => {};
const host = systemHost(
  { debug: nothing, info: nothing, warn: nothing, error: nothing },
  { count: nothing, gauge: nothing, observe: nothing },
);
const id = 'bench@127.0.0.1' as NodeId;
const { state } = initialState({
  clusterName: 'bench',
  ringSize: 8,
  members: [{ id, host: '127.0.0.1', peerPort: 1, httpPort: 2, pbcPort: 3, location: '' }],
  defaultProperties: { n_val: 1 },
});
const alone = {
  request: () => Promise.reject(new Fault('peer-unreachable', 'there is no other node')),
  stream: () => {
    throw new Fault('peer-unreachable', 'there is no other node');
  },
};
const onBug = (bug: unknown): void => {
  throw bug;
};
const node = new VertebraNode(host, new MemoryStore(), alone, { id, initialState: state });
await node.start();
for (const datatype of DATATYPES) {
  const type = utf8ToByteString(datatype);
  await node.createBucketType(type, { datatype, n_val: 1 });
  await node.activateBucketType(type);
}
const address = { host: '127.0.0.1', port: 0 };
const http = new HttpServer(host, node, {
  ...HTTP_DEFAULTS,
  stats: () => ({}),
  metrics: () => '',
  onBug,
});
const pbc = new PbcServer(host, node, { onBug });
const ports = { httpPort: await http.listen(address), pbcPort: await pbc.listen(address) };

const delays = monitorEventLoopDelay({ resolution: 1 });
delays.enable();
parentPort?.on('message', () => {
  parentPort?.postMessage(delays.max / 1e6, []);
  delays.reset();
});
parentPort?.postMessage(ports, []);
