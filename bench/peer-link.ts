/**
 * What a link between two nodes carries: two processes, messages of 1 KiB, so many under way.
 *
 * `node build/bench/peer-link.js [seconds]` prints messages a second and the CPU that each costs on
 * either side, for writes (1 KiB there, an acknowledgement back) and reads (a key there, 1 KiB back),
 * and what one bulk stream carries.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { credentials as grpc, ServerCredentials } from '@grpc/grpc-js';
import type { ByteString } from '../src/base/bytes.ts';
import type { Epoch, NodeId } from '../src/base/names.ts';
import type { PeerReply, PeerRequest, PeerStreamItem } from '../src/peer/messages.ts';
import { MetricsRegistry } from '../src/telemetry/metrics-registry.ts';
import { LogLevels } from '../src/base/log-levels.ts';
import { PinoLog } from '../src/telemetry/pino-log.ts';
import { SystemClock, systemHost } from '../src/telemetry/system-host.ts';
import { GrpcPeer } from '../src/transport/grpc-peer.ts';
import { PeerGate } from '../src/transport/peer-gate.ts';
import { PeerServer } from '../src/transport/peer-server.ts';

const CLIENT = 'client@127.0.0.1' as NodeId;
const SERVER = 'server@127.0.0.1' as NodeId;
const RECORD = Buffer.alloc(1_024, 7);
const NAMES: PeerStreamItem = {
  kind: 'names',
  names: Array.from({ length: 100 }, (_, index) => `999000${1_000 + index}` as ByteString),
};

function gateOf(node: NodeId) {
  const clock = new SystemClock();
  const log = new PinoLog({ node, levels: new LogLevels(clock, 'error') });
  const host = systemHost(log, new MetricsRegistry(clock));
  const introduce = () => ({
    clusterName: 'bench',
    node,
    identity: node,
    incarnation: 1,
    epoch: 1 as Epoch,
    release: 'bench',
  });
  return { host, gate: new PeerGate(host, { introduce, isMember: () => true }) };
}

async function serve(): Promise<void> {
  const ports = gateOf(SERVER);
  const handler = {
    handle: (_source: NodeId, request: PeerRequest): Promise<PeerReply> =>
      Promise.resolve(
        request.verb === 'get' ? { kind: 'object', record: RECORD } : { kind: 'done' },
      ),
    async *handleStream(): AsyncGenerator<PeerStreamItem> {
      for (let item = 0; item < 50_000; item += 1) yield NAMES;
    },
  };
  const credentials = ServerCredentials.createInsecure();
  const server = new PeerServer(ports, handler, { credentials });
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  process.on('message', () => process.send?.({ cpu: process.cpuUsage() }));
  process.on('disconnect', () => process.exit(0));
  process.send?.({ port });
}

interface Answer {
  readonly port: number;
  readonly cpu: NodeJS.CpuUsage;
}

async function measure(seconds: number): Promise<void> {
  const child = fork(import.meta.filename, ['serve']);
  const [{ port }] = (await once(child, 'message')) as [Answer];
  const serverCpu = async (): Promise<number> => {
    child.send('cpu');
    const [{ cpu }] = (await once(child, 'message')) as [Answer];
    return cpu.user + cpu.system;
  };
  const ownCpu = (): number => {
    const { user, system } = process.cpuUsage();
    return user + system;
  };
  const { host, gate } = gateOf(CLIENT);
  const peer = await new Promise<GrpcPeer>((resolve) => {
    const opening: GrpcPeer = new GrpcPeer(host, gate, {
      credentials: () => grpc.createInsecure(),
      linkChanged: () => resolve(opening),
    });
    opening.setPeers(new Map([[SERVER, { host: '127.0.0.1', port }]]));
  });
  const key = { type: 'default', bucket: 'patients', key: '9990001234' } as const;
  const requests: Record<string, PeerRequest> = {
    write: { verb: 'merge', key: key as never, record: RECORD, hintFor: undefined },
    read: { verb: 'get', key: key as never, headOnly: false },
  };
  console.log('what    under way   messages/s   client us   server us');
  for (const [name, request] of Object.entries(requests)) {
    for (const underWay of [256, 64, 16, 1]) {
      const run = async (durationMs: number): Promise<number> => {
        const endMs = performance.now() + durationMs;
        let done = 0;
        const loop = async (): Promise<void> => {
          while (performance.now() < endMs) {
            await peer.request(SERVER, request, 5_000);
            done += 1;
          }
        };
        await Promise.all(Array.from({ length: underWay }, loop));
        return done;
      };
      await run(500);
      const before = { client: ownCpu(), server: await serverCpu(), ms: performance.now() };
      const done = await run(seconds * 1_000);
      const client = (ownCpu() - before.client) / done;
      const server = ((await serverCpu()) - before.server) / done;
      const rate = Math.round((done / (performance.now() - before.ms)) * 1_000);
      console.log(
        `${name.padEnd(6)} ${String(underWay).padStart(10)} ${String(rate).padStart(12)}` +
          `${client.toFixed(1).padStart(12)}${server.toFixed(1).padStart(12)}`,
      );
    }
  }
  const startMs = performance.now();
  let names = 0;
  const question = { verb: 'list-buckets', share: { partitions: [] }, type: key.type } as const;
  for await (const item of peer.stream(SERVER, question as never, 5_000)) {
    if (item.kind === 'names') names += item.names.length;
  }
  const rate = (names / (performance.now() - startMs)) * 1_000;
  console.log(`stream: ${Math.round(rate)} names/s`);
  peer.close();
  child.disconnect();
}

if (process.argv[2] === 'serve') await serve();
else await measure(Number(process.argv[2] ?? 3));
