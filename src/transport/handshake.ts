/**
 * The handshake: who may talk to whom.
 *
 * Both ends of a link introduce themselves before anything else. A stranger, another cluster, a node
 * of another name than was dialled, an incarnation that has since been restarted, or a copy of a disk
 * that has begun again since is refused with a typed reason: a stale or misdirected link must never
 * carry a write. Pure: facts in, verdict out.
 */

import type { ByteString } from '../base/bytes.ts';
import { isFault } from '../base/fault.ts';
import { descentFrom, STARTS_MAX, type Lineage, type Start } from '../base/lineage.ts';
import type { Epoch, NodeId } from '../base/names.ts';
import { malformed, TupleReader } from '../peer/tuple-reader.ts';
import type { WireTuple } from '../peer/tuple-reader.ts';

/** The oldest and newest form of `src/peer/wire.ts` that this program reads and writes. */
export const PROTOCOL_FROM = 1;
export const PROTOCOL_TO = 1;

const MAGIC = 'vertebra';
const REFUSED = 'refused';

/** What a node says of itself. */
export interface Introduction {
  readonly clusterName: string;
  readonly node: NodeId;
  /** Random, drawn at this start; a build without marks tells what it drew with its store. */
  readonly identity: string;
  /** Rises with every start of the node. */
  readonly incarnation: number;
  /** From which starts this one comes; undefined: its build does not say. */
  readonly lineage?: Lineage | undefined;
  /** Of the newest cluster state it has. */
  readonly epoch: Epoch;
  /** Of its program, for people. */
  readonly release: string;
}

export interface Hello extends Introduction {
  readonly protocolFrom: number;
  readonly protocolTo: number;
  /** Whom the caller dialled; in the answer, the caller. */
  readonly dialled: NodeId;
  /** In an answer: whether it knew a start that the caller descends from, and none since. */
  readonly isVouching?: boolean | undefined;
}

const REFUSAL_REASONS = [
  'protocol-version',
  'other-cluster',
  'wrong-node',
  'same-name',
  'stranger',
  'other-certificate',
  'old-incarnation',
  'older-copy',
  'busy',
] as const;
/** `unknown`: a reason that only a later release has. */
export type RefusalReason = (typeof REFUSAL_REASONS)[number] | 'unknown';

export interface Refusal {
  readonly reason: RefusalReason;
  /** A sentence for the log of either side. */
  readonly text: string;
  /**
   * Of `old-incarnation` and `older-copy`: whom this node is taken to have followed or been followed by.
   * Undefined where that is the same start, or is there now, or the refuser does not say it.
   */
  readonly remembered?: Remembered | undefined;
}

/** Another start of a node, as its peer remembers it. */
export interface Remembered {
  readonly incarnation: number;
  /** How long ago it was first admitted. */
  readonly knownForMs: number;
}

/** What was last learnt of a node. */
export interface KnownPeer extends Remembered, Pick<Introduction, 'identity'> {
  /** How its store had begun, as far as that is known. */
  readonly origin?: Start | undefined;
}

export interface HelloContext {
  readonly own: Introduction;
  /** Whether the cluster state has such a member. */
  readonly isMember: boolean;
  readonly known: KnownPeer | undefined;
  /** Whether what is known is there now, so that nobody may follow it. Default false. */
  readonly isKnownUp?: boolean;
}

/** Undefined: welcome. */
export function refusalFor(hello: Hello, context: HelloContext): Refusal | undefined {
  const { own, isMember, known } = context;
  if (hello.protocolTo < PROTOCOL_FROM || hello.protocolFrom > PROTOCOL_TO) {
    const theirs = `${hello.protocolFrom} to ${hello.protocolTo}`;
    const text = `${hello.node} speaks protocol ${theirs}, ${own.node} ${PROTOCOL_FROM} to ${PROTOCOL_TO}`;
    return { reason: 'protocol-version', text };
  }
  if (hello.clusterName !== own.clusterName) {
    const text = `${hello.node} is of cluster ${hello.clusterName}, ${own.node} of ${own.clusterName}`;
    return { reason: 'other-cluster', text };
  }
  if (hello.dialled !== own.node) {
    return { reason: 'wrong-node', text: `${hello.dialled} was meant, this is ${own.node}` };
  }
  if (hello.node === own.node) {
    return { reason: 'same-name', text: `two nodes are called ${own.node}` };
  }
  if (!isMember) {
    return { reason: 'stranger', text: `${hello.node} is no member of ${own.clusterName}` };
  }
  return known && outdatedRefusal(hello, known, context.isKnownUp ?? false);
}

/** Whether the caller descends from `known`, as far as both say. */
export function isDescendant(
  { lineage }: Introduction,
  { identity }: Pick<KnownPeer, 'identity'>,
): boolean {
  return lineage?.starts.some(({ mark }) => mark === identity) ?? false;
}

function outdatedRefusal(hello: Hello, known: KnownPeer, isKnownUp: boolean): Refusal | undefined {
  const { incarnation, knownForMs } = known;
  const isSameStart = hello.identity === known.identity;
  const remembered = isSameStart || isKnownUp ? undefined : { incarnation, knownForMs };
  if (isOlderCopy(hello, known)) {
    const text =
      `start ${hello.incarnation} of ${hello.node} comes from a copy of its disk ` +
      `that is older than start ${incarnation}`;
    return { reason: 'older-copy', text, remembered };
  }
  if (!isOutdated(hello, known)) return undefined;
  const text = `incarnation ${hello.incarnation} of ${hello.node} has been followed by ${incarnation}`;
  return { reason: 'old-incarnation', text, remembered };
}

function isOlderCopy({ lineage }: Introduction, known: KnownPeer): boolean {
  const { incarnation, identity, origin } = known;
  if (lineage === undefined || origin === undefined) return false;
  // A store that begins under a clock that is behind is no copy: it counts on from what it is told.
  if (lineage.origin.mark !== origin.mark && lineage.starts.length === 1) return false;
  const start = { incarnation, mark: identity as ByteString, origin };
  return descentFrom(start, lineage) === 'older-copy';
}

/** Of two with one number but different starts, the one that came first stays. */
function isOutdated(hello: Introduction, known: KnownPeer): boolean {
  if (hello.incarnation !== known.incarnation) return hello.incarnation < known.incarnation;
  return hello.identity !== known.identity;
}

/** `isVouching`: of an answer. A build that does not know what comes after the release passes over it. */
export function helloToTuple(own: Introduction, dialled: NodeId, isVouching = false): WireTuple {
  const { clusterName, node, identity, incarnation, epoch, release, lineage } = own;
  const tuple: WireTuple = [
    MAGIC,
    PROTOCOL_FROM,
    PROTOCOL_TO,
    clusterName,
    node,
    dialled,
    identity,
    incarnation,
    epoch,
    release,
  ];
  return lineage === undefined ? tuple : [...tuple, lineageToTuple(lineage), isVouching];
}

function lineageToTuple({ origin, starts }: Lineage): WireTuple {
  return [startToTuple(origin), starts.map(startToTuple)];
}

function startToTuple({ incarnation, mark }: Start): WireTuple {
  return [incarnation, mark];
}

/** What is remembered comes last: a release that does not know it passes over it. */
export function refusalToTuple({ reason, text, remembered }: Refusal): WireTuple {
  const told =
    remembered === undefined ? [] : [remembered.incarnation, Math.floor(remembered.knownForMs)];
  return [REFUSED, reason, text, ...told];
}

export type Opening =
  { readonly kind: 'hello'; readonly hello: Hello } | ({ readonly kind: 'refused' } & Refusal);

/** The first message of a link; a `peer-malformed` fault for anything else. */
export function tupleToOpening(tuple: unknown): Opening {
  try {
    return readOpening(tuple);
  } catch (error) {
    // Said to an operator, who has perhaps started a build of before the first release.
    if (isFault(error, 'peer-malformed')) throw malformed('an introduction that no release makes');
    throw error;
  }
}

function readOpening(tuple: unknown): Opening {
  const reader = new TupleReader(tuple);
  const mark = reader.text();
  if (mark === REFUSED) {
    const said = reader.text();
    const reason = REFUSAL_REASONS.find((known) => known === said) ?? 'unknown';
    const text = reader.text().slice(0, 500);
    if (reader.remaining === 0) return { kind: 'refused', reason, text };
    const remembered = { incarnation: reader.count(), knownForMs: reader.count() };
    return { kind: 'refused', reason, text, remembered };
  }
  if (mark !== MAGIC) throw malformed('no introduction');
  const protocolFrom = reader.count();
  const protocolTo = reader.count();
  const clusterName = name(reader);
  const node = name(reader) as NodeId;
  const dialled = name(reader) as NodeId;
  const identity = name(reader);
  const incarnation = reader.count();
  const epoch = reader.count() as Epoch;
  const release = name(reader);
  // These ten are in every introduction, for ever; fields after the next two belong to later releases.
  const lineage = reader.remaining === 0 ? undefined : readLineage(reader.tuple());
  const isVouching = reader.remaining === 0 ? undefined : reader.boolean();
  return {
    kind: 'hello',
    hello: {
      protocolFrom,
      protocolTo,
      clusterName,
      node,
      dialled,
      identity,
      incarnation,
      epoch,
      release,
      ...(lineage === undefined ? {} : { lineage, isVouching }),
    },
  };
}

function readLineage(reader: TupleReader): Lineage {
  const origin = readStart(reader);
  return { origin, starts: reader.list(readStart).slice(-STARTS_MAX) };
}

function readStart(reader: TupleReader): Start {
  const start = reader.tuple();
  const incarnation = start.count();
  const mark = start.byteString();
  if (mark === '' || mark.length > 255) throw malformed('start');
  return { incarnation, mark };
}

/** What a fault or an error says. */
export function reasonOf(error: unknown): string {
  if (isFault(error)) return error.message;
  return error instanceof Error ? error.message : String(error);
}

function name(reader: TupleReader): string {
  const text = reader.text();
  if (text === '' || text.length > 255) throw malformed('name');
  return text;
}
