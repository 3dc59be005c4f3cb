/**
 * All messages of the client API, by code and by name.
 *
 * Search and time series are not among them: Riak KV 3.x does not serve them, and their codes are
 * answered like any unknown one.
 */

import * as aaeFold from './aae-fold-messages.ts';
import * as bucket from './bucket-messages.ts';
import * as content from './content-messages.ts';
import * as datatype from './datatype-messages.ts';
import * as del from './delete-messages.ts';
import * as get from './get-messages.ts';
import * as index from './index-messages.ts';
import * as mapReduce from './map-reduce-messages.ts';
import * as put from './put-messages.ts';
import * as replication from './replication-messages.ts';
import * as server from './server-messages.ts';
import type { Enumeration, Fields, MessageType } from './message-type.ts';

type Definition = MessageType<Fields> | Enumeration<string>;

const DEFINITIONS: readonly Definition[] = [
  server,
  content,
  get,
  put,
  del,
  bucket,
  index,
  mapReduce,
  datatype,
  replication,
  aaeFold,
].flatMap((group) => Object.values<unknown>(group).filter(isDefinition));

export const MESSAGE_TYPES: readonly MessageType<Fields>[] = DEFINITIONS.filter(
  (definition) => 'fields' in definition,
);

export const ENUMERATIONS: readonly Enumeration<string>[] = DEFINITIONS.filter(
  (definition) => 'nameByNumber' in definition,
);

const TYPE_BY_CODE = new Map(
  MESSAGE_TYPES.flatMap((type) => (type.code === undefined ? [] : [[type.code, type]])),
);

export function findMessageType(code: number): MessageType<Fields> | undefined {
  return TYPE_BY_CODE.get(code);
}

/** Files of messages also export functions. */
function isDefinition(exported: unknown): exported is Definition {
  return typeof exported === 'object';
}
