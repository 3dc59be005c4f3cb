/**
 * What folds found, as JSON.
 */

import { runInSlices } from '../../base/sliced.ts';
import { sleep, type Clock } from '../../base/host.ts';
import { DEFAULT_BUCKET_TYPE } from '../../base/names.ts';
import { jsonAnswer } from './answer.ts';
import { joinItems, wholeListAnswer } from './json-listing.ts';
import { quoteName } from './json-text.ts';
import type { BucketName, FoundContext } from '../../node/fold-requests.ts';
import type { KeyAmount, ObjectStatistics } from '../../node/node-service.ts';
import type { TictacTree } from '../../object/tictac-tree.ts';
import type { Answer } from './answer.ts';
import type { ItemTexts } from './json-listing.ts';

/** Items made to text in one turn of the event loop. */
const BATCH_COUNT = 2_000;

export function amountsAnswer(amounts: readonly KeyAmount[], clock: Clock): Promise<Answer> {
  return listAnswer({ member: 'results', items: amounts, clock }, ([key, value]) => {
    const name = quoteName(key);
    return name === undefined ? undefined : `{"key":${name},"value":${value}}`;
  });
}

export function bucketsAnswer(buckets: readonly BucketName[], clock: Clock): Promise<Answer> {
  return listAnswer({ member: 'results', items: buckets, clock }, (bucket) => {
    const members = bucketMembers(bucket);
    return members === undefined ? undefined : `{${members}}`;
  });
}

export function contextsAnswer(contexts: readonly FoundContext[], clock: Clock): Promise<Answer> {
  return listAnswer({ member: 'keys-clocks', items: contexts, clock }, (found) => {
    const members = bucketMembers(found);
    const key = quoteName(found.key);
    if (members === undefined || key === undefined) return undefined;
    return `{${members},"key":${key},"clock":"${found.context.toString('base64')}"}`;
  });
}

export function statisticsAnswer({ count, sizeBytes, sizes, siblings }: ObjectStatistics): Answer {
  return jsonAnswer(
    200,
    `{"total_count":${count},"total_size":${sizeBytes},` +
      `"sizes":${countsJson(sizes)},"siblings":${countsJson(siblings)}}`,
  );
}

export function countAnswer(count: number): Answer {
  return jsonAnswer(200, `{"dispatched_count":${count}}`);
}

export function rootAnswer(tree: TictacTree): Answer {
  return jsonAnswer(200, `{"root":"${tree.root().toString('base64')}"}`);
}

export function branchesAnswer(
  { tree, ids }: { readonly tree: TictacTree; readonly ids: readonly number[] },
  clock: Clock,
): Promise<Answer> {
  return listAnswer({ member: 'branches', items: ids, clock }, (id) => {
    return `{"branch-id":${id},"branch":"${tree.branch(id).toString('base64')}"}`;
  });
}

export async function treeAnswer(tree: TictacTree, clock: Clock): Promise<Answer> {
  const packed = await runInSlices(tree.pack(tree.branchNumbers()), clock);
  const branches = packed.map((branch, id) => `"${id}":"${branch.toString('base64')}"`);
  const root = tree.root().toString('base64');
  return jsonAnswer(200, `{"tree":{"level1":"${root}","level2":{${branches.join(',')}}}}`);
}

interface FoundList<T> {
  readonly member: string;
  readonly items: readonly T[];
  readonly clock: Clock;
}

function listAnswer<T>(
  { member, items, clock }: FoundList<T>,
  textOf: (item: T) => string | undefined,
): Promise<Answer> {
  return wholeListAnswer(texts(items, textOf, clock), `{"${member}":[`, () => ']}');
}

/** A socket may take all of it without a turn of the event loop in between. */
async function* texts<T>(
  items: readonly T[],
  textOf: (item: T) => string | undefined,
  clock: Clock,
): ItemTexts {
  for (let from = 0; from < items.length; from += BATCH_COUNT) {
    if (from > 0) await sleep(clock, 0);
    yield joinItems(items.slice(from, from + BATCH_COUNT).map(textOf));
  }
}

/** Riak leaves the default type out. */
function bucketMembers({ type, bucket }: BucketName): string | undefined {
  const bucketText = quoteName(bucket);
  if (bucketText === undefined) return undefined;
  if (type === DEFAULT_BUCKET_TYPE) return `"bucket":${bucketText}`;
  const typeText = quoteName(type);
  return typeText === undefined ? undefined : `"bucket-type":${typeText},"bucket":${bucketText}`;
}

/** As Riak's encoder has it: an object, or where there is nothing an empty list. */
function countsJson(counts: ObjectStatistics['sizes']): string {
  if (counts.length === 0) return '[]';
  return `{${counts.map(([of, count]) => `"${of}":${count}`).join(',')}}`;
}
