/** `Peer` over gRPC. */

import type { Host } from '../base/host.ts';
import { GrpcCarrier, type GrpcCarrierOptions } from './grpc-carrier.ts';
import { LinkedPeer, type LinkedPeerOptions } from './linked-peer.ts';
import type { PeerGate } from './peer-gate.ts';

export interface GrpcPeerOptions extends LinkedPeerOptions, GrpcCarrierOptions {}

export class GrpcPeer extends LinkedPeer {
  constructor(host: Host, gate: PeerGate, options: GrpcPeerOptions) {
    super({ host, gate, carrier: new GrpcCarrier(options) }, options);
  }
}
