/**
 * Which permissions each message needs, and on what: one line for each, as Riak has them.
 *
 * A message without a line cannot have a route (`demandOf` is asked when the routes are laid out), so
 * whatever is served while security is on has been thought about here.
 */

import { assert } from '../../base/fault.ts';
import { DEFAULT_BUCKET_TYPE } from '../../base/names.ts';
import { demandOfJob } from '../../mapreduce/job-needs.ts';
import { isRefusal } from '../../mapreduce/job.ts';
import { findDenial } from '../../security/needs.ts';
import { errorReply } from './handler.ts';
import { readJob } from './handlers/mapreduce-handler.ts';
import {
  RpbAaeFoldEraseKeysReq,
  RpbAaeFoldFetchClocksNValReq,
  RpbAaeFoldFetchClocksRangeReq,
  RpbAaeFoldFindKeysReq,
  RpbAaeFoldFindTombsReq,
  RpbAaeFoldListBucketsReq,
  RpbAaeFoldMergeBranchNValReq,
  RpbAaeFoldMergeRootNValReq,
  RpbAaeFoldMergeTreesRangeReq,
  RpbAaeFoldObjectStatsReq,
  RpbAaeFoldReapTombsReq,
  RpbAaeFoldRepairKeysReq,
  RpbAaeFoldReplKeysReq,
} from './messages/aae-fold-messages.ts';
import {
  RpbGetBucketReq,
  RpbGetBucketTypeReq,
  RpbListBucketsReq,
  RpbListKeysReq,
  RpbResetBucketReq,
  RpbSetBucketReq,
  RpbSetBucketTypeReq,
} from './messages/bucket-messages.ts';
import {
  DtFetchReq,
  DtUpdateReq,
  RpbCounterGetReq,
  RpbCounterUpdateReq,
} from './messages/datatype-messages.ts';
import { RpbDelReq } from './messages/delete-messages.ts';
import { RpbGetReq } from './messages/get-messages.ts';
import {
  RpbCSBucketReq,
  RpbGetBucketKeyPreflistReq,
  RpbIndexReq,
} from './messages/index-messages.ts';
import { RpbMapRedReq } from './messages/map-reduce-messages.ts';
import { RpbPutReq } from './messages/put-messages.ts';
import { RpbFetchReq, RpbMembershipReq, RpbPushReq } from './messages/replication-messages.ts';
import {
  RpbGetClientIdReq,
  RpbGetServerInfoReq,
  RpbPingReq,
  RpbSetClientIdReq,
  RpbStartTls,
} from './messages/server-messages.ts';
import { bucketTypeOf } from './request-values.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { Demand } from '../../security/needs.ts';
import type { Permission, Target } from '../../security/permission.ts';
import type { Reply, Session } from './handler.ts';
import type { Fields, Message, MessageOf, MessageType } from './messages/message-type.ts';

/** What a request needs that has been read. */
export type DemandOf<F extends Fields> = (request: Message<F>, session: Session) => Demand;

type Line = readonly [code: number, demand: DemandOf<Fields>];

const NOTHING: Demand = [];

const LINES: readonly Line[] = [
  line(RpbPingReq, () => NOTHING),
  line(RpbGetClientIdReq, () => NOTHING),
  line(RpbSetClientIdReq, () => NOTHING),
  line(RpbGetServerInfoReq, () => NOTHING),
  line(RpbStartTls, () => NOTHING),
  line(RpbGetReq, onBucket('riak_kv.get')),
  line(RpbPutReq, onBucket('riak_kv.put')),
  line(RpbDelReq, onBucket('riak_kv.delete')),
  line(RpbListBucketsReq, onType('riak_kv.list_buckets')),
  line(RpbListKeysReq, onBucket('riak_kv.list_keys')),
  line(RpbGetBucketReq, onBucket('riak_core.get_bucket')),
  line(RpbSetBucketReq, onBucket('riak_core.set_bucket')),
  line(RpbResetBucketReq, onBucket('riak_core.set_bucket')),
  line(RpbGetBucketTypeReq, onType('riak_core.get_bucket_type')),
  line(RpbSetBucketTypeReq, onType('riak_core.set_bucket_type')),
  line(RpbGetBucketKeyPreflistReq, onBucket('riak_kv.get_preflist')),
  line(RpbIndexReq, onBucket('riak_kv.index')),
  // Keys with their objects.
  line(RpbCSBucketReq, onBucket('riak_kv.list_keys', 'riak_kv.get')),
  line(RpbMapRedReq, demandOfMapReduce),
  line(RpbCounterUpdateReq, ({ bucket }) => needsOn(['riak_kv.put'], untyped(bucket))),
  line(RpbCounterGetReq, ({ bucket }) => needsOn(['riak_kv.get'], untyped(bucket))),
  line(DtFetchReq, onBucket('riak_kv.get')),
  line(DtUpdateReq, onBucket('riak_kv.put')),
  // Of all buckets: whoever fetches sees what is written to any.
  line(RpbFetchReq, onAll('riak_kv.get')),
  line(RpbPushReq, onAll('riak_kv.get')),
  line(RpbMembershipReq, onAll('riak_kv.get')),
  // Riak asks for no permission of any fold; so much of what others may do with the same data is asked here.
  line(RpbAaeFoldMergeRootNValReq, onAll('riak_kv.list_keys')),
  line(RpbAaeFoldMergeBranchNValReq, onAll('riak_kv.list_keys')),
  line(RpbAaeFoldFetchClocksNValReq, onAll('riak_kv.list_keys')),
  line(RpbAaeFoldMergeTreesRangeReq, onBucket('riak_kv.list_keys')),
  line(RpbAaeFoldFetchClocksRangeReq, onBucket('riak_kv.list_keys')),
  line(RpbAaeFoldFindKeysReq, onBucket('riak_kv.list_keys')),
  line(RpbAaeFoldObjectStatsReq, onBucket('riak_kv.list_keys')),
  line(RpbAaeFoldReplKeysReq, onBucket('riak_kv.list_keys', 'riak_kv.get')),
  line(RpbAaeFoldFindTombsReq, onBucket('riak_kv.list_keys')),
  line(RpbAaeFoldRepairKeysReq, onBucket('riak_kv.list_keys', 'riak_kv.get')),
  line(RpbAaeFoldListBucketsReq, onAll('riak_kv.list_buckets')),
  line(RpbAaeFoldReapTombsReq, onBucket('riak_kv.list_keys', 'riak_kv.delete')),
  line(RpbAaeFoldEraseKeysReq, onBucket('riak_kv.list_keys', 'riak_kv.delete')),
];

const DEMAND_BY_CODE = new Map(LINES);

/** There is one for every message that is served. */
export function demandOf<F extends Fields>({ code, name }: MessageType<F>): DemandOf<F> {
  const demand = code === undefined ? undefined : DEMAND_BY_CODE.get(code);
  assert(demand !== undefined, `${name} has a line in the table of permissions`);
  return demand;
}

/** The refusal of a request that its sender may not bring; undefined: it may be served. */
export function findRefusal<F extends Fields>(
  demand: DemandOf<F>,
  request: Message<F>,
  session: Session,
): Reply | undefined {
  const { gatekeeper } = session.node;
  if (!gatekeeper.isEnabled()) return undefined;
  const { user, address } = session;
  if (user === undefined) return errorReply(strangerText(session));
  const denial = findDenial(gatekeeper, { user, address }, demand(request, session));
  return denial === undefined ? undefined : errorReply(denial);
}

/** What a client is told that has not said who it is. */
export function strangerText({ isEncrypted }: Session): string {
  return `Security is enabled, please ${isEncrypted ? 'authenticate' : 'STARTTLS'} first`;
}

function line<F extends Fields>({ code, name }: MessageType<F>, demand: DemandOf<F>): Line {
  assert(code !== undefined, `${name} can be a frame`);
  return [code, demand as DemandOf<Fields>];
}

interface BucketFields {
  readonly type?: ByteString | undefined;
  readonly bucket: ByteString;
}

function onBucket(...permissions: readonly Permission[]): (request: BucketFields) => Demand {
  return ({ type, bucket }) => needsOn(permissions, { type: bucketTypeOf(type), bucket });
}

function onType(
  permission: Permission,
): (request: { readonly type?: ByteString | undefined }) => Demand {
  return ({ type }) => needsOn([permission], { type: bucketTypeOf(type) });
}

function onAll(permission: Permission): () => Demand {
  return () => [{ permission, target: undefined }];
}

function untyped(bucket: ByteString): Target {
  return { type: DEFAULT_BUCKET_TYPE, bucket };
}

function needsOn(permissions: readonly Permission[], target: Target): Demand {
  return permissions.map((permission) => ({ permission, target }));
}

/** What is no job is refused with its own words; nothing of it is run. */
function demandOfMapReduce(request: MessageOf<typeof RpbMapRedReq>, session: Session): Demand {
  const job = readJob(request, session);
  return job === undefined || isRefusal(job) ? NOTHING : demandOfJob(job);
}
