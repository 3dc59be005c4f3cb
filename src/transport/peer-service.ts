/**
 * The gRPC service of `proto/peer.proto`, defined by hand.
 *
 * gRPC hands frames on as the bytes they are. Reading them is the business of the links, which can
 * then answer a bad one with a reason instead of gRPC's general "failed to parse".
 */

import type { MethodDefinition } from '@grpc/grpc-js';

export const LINK_PATH = '/vertebra.peer.v1.Peer/Link';
export const STREAM_PATH = '/vertebra.peer.v1.Peer/Stream';
export const JOIN_PATH = '/vertebra.peer.v1.Peer/Join';

export interface PeerService {
  readonly Link: MethodDefinition<Buffer, Buffer>;
  readonly Stream: MethodDefinition<Buffer, Buffer>;
  readonly Join: MethodDefinition<Buffer, Buffer>;
  readonly [method: string]: MethodDefinition<Buffer, Buffer>;
}

export const PEER_SERVICE: PeerService = {
  Link: method(LINK_PATH, { requestStream: true, responseStream: true }),
  Stream: method(STREAM_PATH, { requestStream: false, responseStream: true }),
  Join: method(JOIN_PATH, { requestStream: false, responseStream: false }),
};

export function sameBytes(bytes: Buffer): Buffer {
  return bytes;
}

function method(
  path: string,
  streams: Pick<MethodDefinition<Buffer, Buffer>, 'requestStream' | 'responseStream'>,
): MethodDefinition<Buffer, Buffer> {
  return {
    path,
    ...streams,
    requestSerialize: sameBytes,
    requestDeserialize: sameBytes,
    responseSerialize: sameBytes,
    responseDeserialize: sameBytes,
  };
}
