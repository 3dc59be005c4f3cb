/**
 * Which handler answers which message: one line for each.
 *
 * What is not here is an unknown code, as Riak answers it: search, time series, queues of replication,
 * and also replies that come as requests.
 */

import { assert, isFault } from '../../base/fault.ts';
import { runInSlices } from '../../base/sliced.ts';
import { malformedReply } from './handler.ts';
import { getCounter, updateCounter } from './handlers/counter-handlers.ts';
import { fetchDatatype, updateDatatype } from './handlers/datatype-handlers.ts';
import {
  eraseKeys,
  fetchClocks,
  fetchClocksOfAll,
  findKeys,
  findTombstones,
  listFoldBuckets,
  mergeBranches,
  mergeRoot,
  mergeTree,
  objectStatistics,
  reapTombstones,
  repairKeys,
  replicateKeys,
} from './handlers/fold-handlers.ts';
import { queryIndex } from './handlers/index-handler.ts';
import { listBuckets, listKeys } from './handlers/listing-handlers.ts';
import { mapReduce } from './handlers/mapreduce-handler.ts';
import { foldObjects } from './handlers/object-fold-handler.ts';
import { deleteObject, getObject, putObject } from './handlers/object-handlers.ts';
import { getPreferenceList } from './handlers/preference-list-handler.ts';
import {
  getBucket,
  getBucketType,
  resetBucket,
  setBucket,
  setBucketType,
} from './handlers/properties-handlers.ts';
import {
  getClientId,
  getServerInfo,
  ping,
  setClientId,
  startTls,
} from './handlers/server-handlers.ts';
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
import { decodeMessage } from './messages/message-type.ts';
import { decodeInSlices } from './messages/sliced-message.ts';
import { RpbPutReq } from './messages/put-messages.ts';
import { RpbFetchReq, RpbMembershipReq, RpbPushReq } from './messages/replication-messages.ts';
import {
  RpbGetClientIdReq,
  RpbGetServerInfoReq,
  RpbPingReq,
  RpbSetClientIdReq,
  RpbStartTls,
} from './messages/server-messages.ts';
import { fetchQueue, listMembers, pushKeys } from './handlers/replication-handlers.ts';
import { demandOf, findRefusal } from './permissions.ts';
import type { ClientWork } from '../../node/admission.ts';
import type { Answer, Handler, Reply, Session } from './handler.ts';
import type { Fields, Message, MessageType } from './messages/message-type.ts';
import type { ReaderLimits } from './messages/proto-reader.ts';

export interface Route {
  /** Of its message. */
  readonly name: string;
  /** What waits at the node's entrance before it is read, and as what; undefined: it does not. */
  readonly work: ClientWork | undefined;
  /** Reads a request and answers it; throws the fault `malformed` where it cannot be read. */
  readonly serve: (body: Buffer, session: Session, limits: ReaderLimits) => Answer;
}

const ROUTES: readonly (readonly [code: number, route: Route])[] = [
  route(RpbPingReq, ping),
  route(RpbGetClientIdReq, getClientId),
  route(RpbSetClientIdReq, setClientId),
  route(RpbGetServerInfoReq, getServerInfo),
  route(RpbGetReq, getObject, 'node_get_fsm'),
  route(RpbPutReq, putObject, 'node_put_fsm'),
  route(RpbDelReq, deleteObject, 'node_put_fsm'),
  route(RpbListBucketsReq, listBuckets),
  route(RpbListKeysReq, listKeys),
  route(RpbGetBucketReq, getBucket),
  route(RpbSetBucketReq, setBucket),
  route(RpbResetBucketReq, resetBucket),
  route(RpbGetBucketTypeReq, getBucketType),
  route(RpbSetBucketTypeReq, setBucketType),
  route(RpbGetBucketKeyPreflistReq, getPreferenceList),
  route(RpbIndexReq, queryIndex),
  route(RpbCSBucketReq, foldObjects),
  route(RpbStartTls, startTls),
  route(RpbMapRedReq, mapReduce),
  route(RpbCounterUpdateReq, updateCounter, 'node_put_fsm'),
  route(RpbCounterGetReq, getCounter, 'node_get_fsm'),
  route(DtFetchReq, fetchDatatype, 'node_get_fsm'),
  slicedRoute(DtUpdateReq, updateDatatype, 'node_put_fsm'),
  route(RpbFetchReq, fetchQueue),
  route(RpbPushReq, pushKeys),
  route(RpbMembershipReq, listMembers),
  route(RpbAaeFoldMergeRootNValReq, mergeRoot),
  route(RpbAaeFoldMergeBranchNValReq, mergeBranches),
  route(RpbAaeFoldFetchClocksNValReq, fetchClocksOfAll),
  route(RpbAaeFoldMergeTreesRangeReq, mergeTree),
  route(RpbAaeFoldFetchClocksRangeReq, fetchClocks),
  route(RpbAaeFoldFindKeysReq, findKeys),
  route(RpbAaeFoldObjectStatsReq, objectStatistics),
  route(RpbAaeFoldReplKeysReq, replicateKeys),
  route(RpbAaeFoldFindTombsReq, findTombstones),
  route(RpbAaeFoldRepairKeysReq, repairKeys),
  route(RpbAaeFoldListBucketsReq, listFoldBuckets),
  route(RpbAaeFoldReapTombsReq, reapTombstones),
  route(RpbAaeFoldEraseKeysReq, eraseKeys),
];

const ROUTE_BY_CODE: readonly (Route | undefined)[] = routesByCode();

export function findRoute(code: number): Route | undefined {
  return ROUTE_BY_CODE[code];
}

function route<F extends Fields>(
  type: MessageType<F>,
  handler: Handler<F>,
  work?: ClientWork,
): readonly [number, Route] {
  assert(type.code !== undefined, `${type.name} can be a frame`);
  const demand = demandOf(type);
  const serve: Route['serve'] = (body, session, limits) => {
    const request = decodeMessage(type, body, limits);
    session.underWay = request;
    return findRefusal(demand, request, session) ?? handler(request, session);
  };
  return [type.code, { name: type.name, work, serve }];
}

/** A request that is read at once if it is no longer than this. */
const AT_ONCE_MAX_BYTES = 64 * 1024;

/** As `route`, for requests that may be so large that reading them would hold up others. */
function slicedRoute<F extends Fields>(
  type: MessageType<F>,
  handler: (request: Message<F>, session: Session) => Reply | Promise<Reply>,
  work: ClientWork,
): readonly [number, Route] {
  const [code, atOnce] = route(type, handler, work);
  const demand = demandOf(type);
  const inSlices = async (body: Buffer, session: Session, limits: ReaderLimits): Promise<Reply> => {
    let request: Message<F>;
    try {
      request = await runInSlices(decodeInSlices(type, body, limits), session.clock);
    } catch (error) {
      if (!isFault(error, 'malformed')) throw error;
      session.metrics.count('pbc_malformed_total');
      return malformedReply(error.message);
    }
    session.underWay = request;
    return findRefusal(demand, request, session) ?? handler(request, session);
  };
  const serve: Route['serve'] = (body, session, limits) =>
    body.length > AT_ONCE_MAX_BYTES
      ? inSlices(body, session, limits)
      : atOnce.serve(body, session, limits);
  return [code, { name: type.name, work, serve }];
}

function routesByCode(): readonly (Route | undefined)[] {
  const byCode = Array.from<Route | undefined>({ length: 256 });
  for (const [code, found] of ROUTES) byCode[code] = found;
  return byCode;
}
