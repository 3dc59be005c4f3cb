/**
 * An import: the lines of a file carried to a cluster, each as an object of a source would be.
 *
 * With a ledger it is a pass like any other: one that was broken off passes over what it had done,
 * and what the target has changed or deleted since stays so. Without one only what the target has not
 * is written. The file is read to its end before it counts as whole: its last line says how many
 * objects it has.
 */

import { Fault, isFault } from '../base/fault.ts';
import type { Carried, Reading, Version } from './carried-object.ts';
import { contentOf, versionOfSiblings, versionOfSketch, versionOfValue } from './carried-object.ts';
import type { ClusterEnd } from './cluster-end.ts';
import type { Entry } from './decide.ts';
import { eachAtOnce } from './each-at-once.ts';
import type { KeyFile } from './key-file.ts';
import type { Ledger } from './ledger.ts';
import type { Origin } from './object-carrier.ts';
import { ObjectFileReader, lineFault } from './object-file.ts';
import type { FileLine } from './object-file.ts';
import { decodeLine } from './object-line.ts';
import type { Line, ObjectLine } from './object-line.ts';
import { Progress } from './progress.ts';
import { Settlement, findLane } from './settlement.ts';
import type { Lane, Settled, SettlementOptions } from './settlement.ts';
import { Tally, breakOf } from './tally.ts';
import type { Place } from './walk.ts';
import { DEFAULT_BUCKET_TYPE, keyToString } from '../base/names.ts';

export interface ImportOptions extends SettlementOptions {
  readonly file: string;
  readonly isQuiet: boolean;
}

export interface ImportEnds {
  readonly target: ClusterEnd;
  readonly ledger: Ledger | undefined;
  readonly keyFile: KeyFile;
}

export interface ImportSummary extends Settled {
  readonly isResumed: boolean;
  /** What is wrong with the file, and in which line; what is before it was carried. */
  readonly damage: string | undefined;
  readonly retries: number;
}

/** The name of a file in a ledger. */
export const FILE_PLACE = 'a file';

const BATCH_COUNT = 500;
const BATCH_SIZE_BYTES = 16 * 1024 * 1024;
const LANES_MAX = 10_000;

export async function importObjects(
  ends: ImportEnds,
  options: ImportOptions,
): Promise<ImportSummary> {
  const { target, ledger, keyFile } = ends;
  const reader = await ObjectFileReader.open(options.file);
  // All that is unsettled is met again, in a pass that goes on with another too.
  await keyFile.clear();
  const start = await ledger?.begin(JSON.stringify([options.file, reader.sizeBytes]));
  const tally = new Tally();
  const expected = () => (reader.share > 0 ? tally.objects / reader.share : undefined);
  const progress = new Progress({ tally, expected, isQuiet: options.isQuiet });
  const settlement = new Settlement(ends, options, { tally });
  const lanes = new Lanes(target);
  let damage: string | undefined;
  let brokenOff: string | undefined;
  try {
    for await (const batch of batches(reader, options.file)) {
      const entries = (await ledger?.getMany(batch.map(({ key }) => key))) ?? [];
      await eachAtOnce(batch.entries(), options.concurrency, async ([index, line]) => {
        const lane = await lanes.of(line);
        const entry = entryFor(line, entries[index]);
        await settlement.settle(line.key, entry, { lane, origin: originOf(line) });
      });
      if (settlement.isOver) break;
    }
    if (!settlement.isOver) await ledger?.finish(tally.objects);
  } catch (error) {
    if (isFault(error, 'malformed')) damage = error.message;
    else brokenOff = breakOf(error);
  } finally {
    progress.end();
  }
  return {
    isResumed: start?.isResumed ?? false,
    ...settlement.summary(!settlement.isOver && damage === undefined, brokenOff),
    damage,
    retries: target.patience.retries,
  };
}

/** What another line of the same key came to does not settle this one. */
function entryFor({ carried }: ObjectLine, entry: Entry | undefined): Entry | undefined {
  return entry === undefined || entry.source === versionOf(carried)
    ? entry
    : { ...entry, isOpen: true };
}

/** In the order of the file, and never one key twice in a batch: later lines come later. */
async function* batches(
  reader: ObjectFileReader,
  path: string,
): AsyncGenerator<readonly ObjectLine[]> {
  let batch: ObjectLine[] = [];
  let keys = new Set<string>();
  let sizeBytes = 0;
  try {
    for await (const { line, bytes } of soundLines(reader, path)) {
      const name = keyToString(line.key);
      const isFull = batch.length >= BATCH_COUNT || sizeBytes >= BATCH_SIZE_BYTES;
      if (isFull || keys.has(name)) {
        yield batch;
        batch = [];
        keys = new Set();
        sizeBytes = 0;
      }
      batch.push(line);
      keys.add(name);
      sizeBytes += bytes.length;
    }
  } catch (error) {
    // What is before the damage is sound.
    if (batch.length > 0) yield batch;
    throw error;
  }
  if (batch.length > 0) yield batch;
}

/** The objects between the first line and the last. */
async function* soundLines(
  reader: ObjectFileReader,
  path: string,
): AsyncGenerator<{ readonly line: ObjectLine; readonly bytes: Buffer }> {
  let objects = 0;
  let place: 'start' | 'objects' | 'end' = 'start';
  for await (const read of reader.lines()) {
    const line = lineOf(read, path);
    const refuse = (why: string): Fault => lineFault(path, read.number, why);
    if (place === 'end') throw refuse('there is more behind the last line');
    if ((line.kind === 'header') !== (place === 'start')) {
      throw refuse(
        place === 'start' ? 'the file does not begin as an export' : 'a second beginning',
      );
    }
    place = line.kind === 'end' ? 'end' : 'objects';
    if (line.kind === 'end' && line.objects !== objects) {
      throw refuse(`${line.objects} objects were written, and ${objects} are here`);
    }
    if (line.kind !== 'object') continue;
    objects += 1;
    yield { line, bytes: read.bytes };
  }
  if (place !== 'end') {
    throw new Fault('malformed', `${path} has no last line: it was not written to its end`);
  }
}

function lineOf({ number, bytes }: FileLine, path: string): Line {
  try {
    return decodeLine(bytes);
  } catch (error) {
    throw isFault(error, 'malformed') ? lineFault(path, number, error.message) : error;
  }
}

function versionOf(carried: Carried): Version {
  switch (carried.kind) {
    case 'datatype':
      return versionOfValue(carried.value);
    case 'sketch':
      return versionOfSketch(carried.registers);
    case 'siblings':
      return versionOfSiblings(
        carried.siblings.map((sibling) => {
          const { vtag, lastModifiedMicros, value } = sibling;
          // A line may leave out its vtag; what it holds tells it from another one then.
          const mark = vtag === '' ? contentOf(sibling) : vtag;
          const valueSizeBytes = value.length;
          return { vtag: mark, lastModifiedMicros, isTombstone: false, valueSizeBytes };
        }),
      );
  }
}

/** A line says the same however often it is asked. */
function originOf({ carried, context }: ObjectLine): Origin {
  const reading: Reading = {
    version: versionOf(carried),
    carried,
    context,
    tombstones: 0,
  };
  return { version: async () => reading.version, read: async () => reading };
}

/** The buckets of the target that lines are for. */
class Lanes {
  readonly #target: ClusterEnd;
  readonly #laneByName = new Map<string, Promise<Lane>>();

  constructor(target: ClusterEnd) {
    this.#target = target;
  }

  of({ key: { type, bucket }, carried }: ObjectLine): Promise<Lane> {
    // A counter of an untyped bucket stands among ordinary objects.
    const kind = carried.kind === 'datatype' ? carried.value.kind : undefined;
    const typed = carried.kind === 'sketch' ? 'hll' : kind;
    const datatype = type === DEFAULT_BUCKET_TYPE ? undefined : typed;
    const name = JSON.stringify([type, bucket, datatype]);
    const known = this.#laneByName.get(name);
    if (known !== undefined) return known;
    if (this.#laneByName.size >= LANES_MAX) this.#laneByName.clear();
    const source: Place = { type, bucket, datatype, properties: {} };
    const lane = findLane(source, this.#target);
    this.#laneByName.set(name, lane);
    return lane;
  }
}
