/**
 * Replication between clusters: another cluster's nodes fetch what is queued here, put keys on the queue that
 * a full-sync has found, and ask where the others of this cluster are.
 *
 * The messages are Riak's. What a fetch carries is not: objects are handed over as they are stored, so only
 * another cluster of Vertebra can take them, and it says so by the name of the encoding.
 */

import { crc32 } from 'node:zlib';
import { utf8ToByteString } from '../../../base/bytes.ts';
import { DEFAULT_BUCKET_TYPE } from '../../../base/names.ts';
import { printString } from '../../../object/erlang-text.ts';
import { errorReply, largeReply, reply } from '../handler.ts';
import { writeMessage } from '../messages/message-type.ts';
import { ProtoWriter } from '../messages/proto-writer.ts';
import {
  ReplicatedLot,
  RpbFetchResp,
  RpbMembershipResp,
  RpbPushResp,
} from '../messages/replication-messages.ts';
import { bucketTypeOf } from '../request-values.ts';
import type { FetchedItem } from '../../../node/replication-queues.ts';
import type { Answer, Reply, Session } from '../handler.ts';
import type { Fields, Message, MessageOf } from '../messages/message-type.ts';
import type { RpbFetchReq, RpbPushReq } from '../messages/replication-messages.ts';

/** How objects are handed over: a `ReplicatedLot`. */
const ENCODING = 'vertebra1';
/** Below it a reply is encoded in one go. */
const SMALL_BYTES = 64 * 1024;
const UINT32_MAX = 2 ** 32 - 1;

const NOTHING = reply(RpbFetchResp, { queue_empty: true });
const OTHER_ENCODING = errorReply(
  printString(
    `Objects are handed over in the encoding ${ENCODING} only, which the fetch must name`,
  ),
);

export function fetchQueue(
  { queuename: queue, encoding }: MessageOf<typeof RpbFetchReq>,
  session: Session,
): Answer {
  const isOurs = encoding === ENCODING;
  if (!session.node.replication.has(queue)) {
    // Riak calls it empty; a sink whose operator mistyped the name would wait for ever.
    return isOurs ? errorReply(`There is no queue ${queue}`) : NOTHING;
  }
  if (!isOurs) return OTHER_ENCODING;
  session.consumer ??= session.node.replication.consumer();
  return session.consumer.fetch(queue).then((items) => lotReply(items, session));
}

export function pushKeys(
  {
    queuename,
    keys_value: keys,
    compared_mark: mark,
    age_ms: agesMs,
  }: MessageOf<typeof RpbPushReq>,
  { node: { replication } }: Session,
): Reply {
  if (mark !== undefined) replication.noteCompared(queuename, mark);
  const pushed = keys.map(({ type, bucket, key }) => ({ type: bucketTypeOf(type), bucket, key }));
  const status = replication.push(queuename, pushed, agesMs);
  if (status === undefined) return reply(RpbPushResp, { queuename, queue_exists: false });
  return reply(RpbPushResp, {
    queuename,
    queue_exists: true,
    foldq_length: 0,
    fsync_length: status.sync,
    realt_length: status.realTime,
    drop_mark: keys.length === 0 ? replication.dropMark(queuename) : undefined,
    taken_count: keys.length === 0 ? undefined : status.taken,
  });
}

/** The members that are up, by where their clients reach them. */
export function listMembers(_request: Message<Fields>, { node }: Session): Reply {
  const live = new Set(node.liveMembers());
  return reply(RpbMembershipResp, {
    up_nodes: node
      .state()
      .members.filter(({ id }) => live.has(id))
      .map(({ host, pbcPort }) => ({ ip: utf8ToByteString(host), port: pbcPort })),
  });
}

function lotReply(items: readonly FetchedItem[], session: Session): Reply | Promise<Reply> {
  if (items.length === 0) return NOTHING;
  const lot = encodeLot(items);
  const message = { queue_empty: false, crc_check: crc32(lot), replencoded_object: lot };
  return lot.length > SMALL_BYTES
    ? largeReply(RpbFetchResp, message, session.clock)
    : reply(RpbFetchResp, message);
}

function encodeLot(items: readonly FetchedItem[]): Buffer {
  const writer = new ProtoWriter();
  writer.begin(0, 0);
  writeMessage(ReplicatedLot, writer, {
    items: items.map(({ key: { type, bucket, key }, record, ageMs, isSync }) => ({
      type: type === DEFAULT_BUCKET_TYPE ? undefined : type,
      bucket,
      key,
      record,
      age_ms: Math.min(ageMs, UINT32_MAX),
      is_sync: isSync,
    })),
  });
  return Buffer.concat(writer.finish());
}
