/** What members say to each other to agree on a cluster state, and what they note of it. */

import type { Epoch } from '../../src/base/names.ts';
import type {
  AgreementRecord,
  AgreementReply,
  AgreementRequest,
  Ballot,
} from '../../src/membership/agreement.ts';
import {
  decodeRecord,
  decodeReply,
  decodeRequest,
  encodeRecord,
  encodeReply,
  encodeRequest,
} from '../../src/membership/agreement-codec.ts';
import { nodeOf, stateOf } from '../membership/states.ts';
import type { Format, Sample } from './formats.ts';

const ballot: Ballot = { round: 7, node: nodeOf(1), life: 3 };
const state = stateOf(2, 8);
const accepted = { ballot: { round: 5, node: nodeOf(0), life: 2 }, state };
const epoch = 4 as Epoch;

const REQUESTS: readonly AgreementRequest[] = [
  { kind: 'prepare', epoch, parent: Buffer.alloc(32, 0xa5), ballot },
  { kind: 'accept', ballot, state },
  { kind: 'learn', state },
  { kind: 'survey' },
];

const REPLIES: readonly AgreementReply[] = [
  { kind: 'promised', accepted },
  { kind: 'accepted' },
  { kind: 'refused', promised: ballot },
  { kind: 'behind', epoch },
  { kind: 'lagging', epoch },
  { kind: 'abstained' },
  { kind: 'diverged', epoch },
  { kind: 'learnt', epoch },
  { kind: 'surveyed', epoch, promised: ballot, accepted, hasProposed: true, vote: 'regained' },
];

const record: AgreementRecord = {
  state,
  promised: ballot,
  accepted,
  round: 7,
  life: 3,
  vote: 'free',
};

function byKind(values: readonly { readonly kind: string }[]): Sample[] {
  return values.map((value) => ({ kind: value.kind, value }));
}

export const agreementFormats: readonly Format[] = [
  {
    name: 'agreement request',
    samples: () => byKind(REQUESTS),
    encode: encodeRequest,
    decode: decodeRequest,
  },
  {
    name: 'agreement reply',
    samples: () => byKind(REPLIES),
    encode: encodeReply,
    decode: decodeReply,
  },
  {
    name: 'agreement record',
    samples: () => [
      { kind: 'of a voter', value: record },
      {
        kind: 'of one that accepted nothing',
        value: { ...record, promised: undefined, accepted: undefined, vote: 'founding' },
      },
    ],
    encode: encodeRecord,
    decode: decodeRecord,
  },
];
