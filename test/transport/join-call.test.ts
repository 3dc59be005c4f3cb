/** The call to be taken in, over real gRPC: heard, answered, and refused without certificates. */

import { credentials } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { Fault, isFault } from '../../src/base/fault.ts';
import type { NodeId } from '../../src/base/names.ts';
import { joinRequestToTuple } from '../../src/peer/join.ts';
import type { JoinHandler, JoinReply, JoinRequest } from '../../src/peer/join.ts';
import { dial } from '../../src/transport/channel.ts';
import { PeerCertificates } from '../../src/transport/peer-certificates.ts';
import { GrpcCarrier } from '../../src/transport/grpc-carrier.ts';
import { encodeFrame } from '../../src/transport/frame.ts';
import { askToJoin } from '../../src/transport/join-call.ts';
import { PeerServer } from '../../src/transport/peer-server.ts';
import { JOIN_PATH, sameBytes } from '../../src/transport/peer-service.ts';
import { handlerOf } from '../peer/peer-compliance.ts';
import { Authority } from './certificates.ts';
import { ANSWERER, ASKER, End } from './peer-pair.ts';

const REQUEST: JoinRequest = {
  purpose: 'join',
  clusterName: 'test',
  lineage: 'ab'.repeat(16),
  ringSize: 64,
  newcomer: {
    id: 'new@127.0.0.1' as NodeId,
    host: '127.0.0.1',
    peerPort: 1,
    httpPort: 2,
    pbcPort: 3,
    location: 'hall 1',
  },
};

const WELCOME: JoinReply = { kind: 'welcome', document: Buffer.from('a state'), isNew: true };

interface Tls {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

async function served(
  t: Test,
  joins: JoinHandler | undefined,
  tls?: Tls,
): Promise<{ host: string; port: number }> {
  const end = new End(ANSWERER);
  const server = new PeerServer({ host: end.host, gate: end.gate }, handlerOf({}), {
    credentials: new PeerCertificates(end.host, tls).server,
    ...(joins === undefined ? {} : { joins }),
  });
  const host = '127.0.0.1';
  const port = await server.listen({ host, port: 0 });
  t.teardown(() => {
    server.close();
    end.metrics.close();
  });
  return { host, port };
}

async function ask(
  address: { host: string; port: number },
  tls?: Tls,
  timeoutMs = 10_000,
): Promise<JoinReply | string> {
  const end = new End(ASKER);
  try {
    const certificates = new PeerCertificates(end.host, tls);
    const carrier = new GrpcCarrier({ credentials: () => certificates.client() });
    return await askToJoin(carrier.dial(address, 'link'), REQUEST, timeoutMs);
  } catch (error) {
    if (isFault(error)) return error.code;
    throw error;
  } finally {
    end.metrics.close();
  }
}

t.test('the request arrives as it was sent, and the answer comes back', async (t) => {
  const heard: JoinRequest[] = [];
  const address = await served(t, {
    admit: (request) => {
      heard.push(request);
      return Promise.resolve(WELCOME);
    },
  });
  t.same(await ask(address), WELCOME);
  t.same(heard, [REQUEST]);
});

t.test('a refusal comes with its reason', async (t) => {
  const refused: JoinReply = { kind: 'refused', reason: 'same-name', text: 'there is one' };
  t.same(await ask(await served(t, { admit: () => Promise.resolve(refused) })), refused);
  t.match(await ask(await served(t, undefined)), { kind: 'refused', reason: 'not-ready' });
});

t.test('a node that fails, or is not there, is a fault', async (t) => {
  const failing = { admit: () => Promise.reject(new Fault('closed', 'the node is stopping')) };
  t.equal(await ask(await served(t, failing)), 'peer-unreachable');
  const silent = await served(t, { admit: () => new Promise(() => {}) });
  t.equal(await ask(silent, undefined, 300), 'timeout');
  t.equal(await ask({ host: '127.0.0.1', port: 1 }, undefined, 5_000), 'peer-unreachable');
});

t.test('where links are encrypted, only who has a certificate is heard', async (t) => {
  const folder = t.testdir();
  const authority = new Authority('cluster');
  const tls = authority.issue(folder, 'answerer');
  const address = await served(t, { admit: () => Promise.resolve(WELCOME) }, tls);
  t.not(await ask(address, undefined, 2_000), WELCOME);
  const stranger = { ...new Authority('cluster').issue(folder, 'other'), caFile: tls.caFile };
  t.type(await ask(address, stranger, 2_000), 'string');
  t.same(await ask(address, authority.issue(folder, 'asker')), WELCOME);
});

t.test('anything else is refused, and another version in words', async (t) => {
  const address = await served(t, { admit: () => Promise.resolve(WELCOME) });
  const client = dial(address, {
    credentials: credentials.createInsecure(),
    keepaliveMs: 10_000,
    use: 'link',
  });
  t.teardown(() => client.close());
  const send = (frame: Buffer): Promise<string> =>
    new Promise((resolve) => {
      client.makeUnaryRequest<Buffer, Buffer>(
        JOIN_PATH,
        sameBytes,
        sameBytes,
        frame,
        (error, reply) => resolve(error?.details ?? String(reply)),
      );
    });
  t.match(await send(Buffer.from('hello')), /malformed/);
  t.match(await send(encodeFrame(['join', 1, 1, ['x']], 10)), /malformed/);
  t.match(await send(encodeFrame(['join', 2, 2, ['x']], 10)), /protocol 2 to 2, the cluster 1 to/);
  t.match(await send(encodeFrame(['join', 7, 9, ['x']], 10)), /protocol 7 to 9/);
  // All members would dial it, and none could start over an address that is none.
  for (const host of ['a\nb', 'a b', '\u2028', 'a\0']) {
    const tuple = joinRequestToTuple({ ...REQUEST, newcomer: { ...REQUEST.newcomer, host } });
    t.match(await send(encodeFrame(['join', 1, 1, tuple], 10)), /malformed: no host/);
  }
});
