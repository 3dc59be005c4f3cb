/** The first words of a link, and those of a node that is no member yet: frames with a message each. */

import type { ByteString } from '../../src/base/bytes.ts';
import type { Epoch } from '../../src/base/names.ts';
import {
  joinReplyToTuple,
  joinRequestToTuple,
  tupleToJoinReply,
  tupleToJoinRequest,
  type JoinReply,
  type JoinRequest,
} from '../../src/peer/join.ts';
import type { WireTuple } from '../../src/peer/tuple-reader.ts';
import { decodeFrame, encodeFrame } from '../../src/transport/frame.ts';
import {
  helloToTuple,
  refusalToTuple,
  tupleToOpening,
  type Introduction,
  type Opening,
} from '../../src/transport/handshake.ts';
import { nodeOf } from '../membership/states.ts';
import type { Format } from './formats.ts';

const start = { incarnation: 3, mark: 'eightch\xff' as ByteString };
const own: Introduction = {
  clusterName: 'test',
  node: nodeOf(0),
  identity: start.mark,
  incarnation: start.incarnation,
  lineage: { origin: { incarnation: 1, mark: 'thefirst' as ByteString }, starts: [start] },
  epoch: 9 as Epoch,
  release: '0.1.0',
};

function framed(tuple: WireTuple): Buffer {
  return encodeFrame([tuple], 200);
}

function unframed(frame: Buffer): unknown {
  return decodeFrame(frame)[0];
}

function openingToTuple(opening: Opening): WireTuple {
  if (opening.kind === 'refused') return refusalToTuple(opening);
  const { dialled, isVouching, ...introduction } = opening.hello;
  return helloToTuple(introduction, dialled, isVouching);
}

const join: JoinRequest = {
  purpose: 'join',
  clusterName: 'test',
  lineage: 'of the asker',
  ringSize: 64,
  newcomer: {
    id: nodeOf(3),
    host: '127.0.0.1',
    peerPort: 8099,
    httpPort: 8098,
    pbcPort: 8087,
    location: 'rack 7',
  },
};

export const greetingFormats: readonly Format[] = [
  {
    name: 'opening',
    samples: () => [
      {
        kind: 'hello',
        value: {
          kind: 'hello',
          hello: { ...own, protocolFrom: 1, protocolTo: 1, dialled: nodeOf(1), isVouching: true },
        },
      },
      {
        kind: 'refused',
        value: {
          kind: 'refused',
          reason: 'older-copy',
          text: 'a sentence',
          remembered: { incarnation: 5, knownForMs: 1_000 },
        },
      },
    ],
    encode: (opening: Opening) => framed(openingToTuple(opening)),
    decode: (frame) => tupleToOpening(unframed(frame)),
  },
  {
    name: 'join request',
    samples: () => [
      { kind: 'join', value: join },
      { kind: 'inquire', value: { ...join, purpose: 'inquire' } },
    ],
    encode: (request: JoinRequest) => framed(joinRequestToTuple(request)),
    decode: (frame) => tupleToJoinRequest(unframed(frame)),
  },
  {
    name: 'join reply',
    samples: () => [
      { kind: 'welcome', value: { kind: 'welcome', document: Buffer.from('{}'), isNew: true } },
      { kind: 'refused', value: { kind: 'refused', reason: 'no-room', text: 'a sentence' } },
    ],
    encode: (reply: JoinReply) => framed(joinReplyToTuple(reply)),
    decode: (frame) => tupleToJoinReply(unframed(frame)),
  },
];
