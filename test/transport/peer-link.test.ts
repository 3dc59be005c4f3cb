/** When a peer is dialled, in virtual time: its calls hurry that, and cannot make a storm of it. */

import { EventEmitter } from 'node:events';
import t from 'tap';
import type { Epoch } from '../../src/base/names.ts';
import type { Carrier, LinkCall } from '../../src/transport/carrier.ts';
import { encodeFrame } from '../../src/transport/frame.ts';
import { refusalToTuple } from '../../src/transport/handshake.ts';
import { PeerGate } from '../../src/transport/peer-gate.ts';
import { PeerLink } from '../../src/transport/peer-link.ts';
import { VirtualHost } from '../replica/virtual-host.ts';
import { ANSWERER, ASKER } from './peer-pair.ts';

const REFUSED = encodeFrame([refusalToTuple({ reason: 'other-certificate', text: 'no' })], 100);

class Call extends EventEmitter {
  write(): boolean {
    return true;
  }

  cancel(): void {}
}

/** A link whose every dial ends as the test says. */
function dialling(end: (call: Call) => void) {
  const host = new VirtualHost();
  let dials = 0;
  const openLink = (): LinkCall => {
    dials += 1;
    const call = new Call();
    host.clock.after(1, () => end(call));
    return call;
  };
  const connection = {
    openLink,
    openStream: () => new Call() as never,
    ask: () => Promise.reject(new Error('nothing is asked')),
    close() {},
  };
  const carrier: Carrier = {
    defer: (run) => void host.clock.after(0, run),
    dial: () => connection,
  };
  const introduction = {
    clusterName: 'test',
    node: ASKER,
    identity: 'x',
    incarnation: 1,
    epoch: 1 as Epoch,
    release: 'x',
  };
  const gate = new PeerGate(host, { introduce: () => introduction, isMember: () => true });
  const link = new PeerLink(
    { host, gate, carrier },
    { node: ANSWERER, address: { host: '127.0.0.1', port: 1 } },
    {
      window: { requests: 1, sizeBytes: 1 },
      handshakeTimeoutMs: 5_000,
      reconnectDelayMaxMs: 2_000,
      changed() {},
      refused() {},
    },
  );
  return { host, link, dials: () => dials };
}

const ENDS: readonly (readonly [how: string, end: (call: Call) => void])[] = [
  ['refuses us', (call) => call.emit('data', REFUSED)],
  ['is not there', (call) => call.emit('error', new Error('no connection'))],
];

for (const [how, end] of ENDS) {
  t.test(
    `who calls again and again and ${how} is dialled ten times a second at most`,
    async (t) => {
      const { host, link, dials } = dialling(end);
      await host.advance(10);
      t.equal(dials(), 1);
      for (let call = 0; call < 1_000; call += 1) {
        // Each stream of theirs is a call.
        link.heard(1);
        await host.advance(1);
      }
      t.ok(dials() <= 11, `${dials()} dials in a second`);
      t.ok(dials() >= 5, `${dials()} dials, though the pause of who is left alone is longer`);
      link.close();
      const before = dials();
      await host.advance(10_000);
      t.equal(dials(), before, 'nobody is dialled by a link that was closed');
    },
  );
}
