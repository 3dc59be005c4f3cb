/**
 * An export: the objects of a cluster as lines of a file (`object-line.ts`), in pages, so that one that
 * was broken off goes on behind the last page that is on disk.
 */

import type { ClusterEnd } from './cluster-end.ts';
import type { KeyFile } from './key-file.ts';
import { sizeOf } from './carried-object.ts';
import { eachAtOnce } from './each-at-once.ts';
import { ObjectFileWriter } from './object-file.ts';
import { encodeObjectLine } from './object-line.ts';
import { ObjectRateLimit } from './object-rate-limit.ts';
import { Progress } from './progress.ts';
import { Tally, breakOf, reasonOf } from './tally.ts';
import { ahead, scopeText, walk } from './walk.ts';
import type { Page, Scope } from './walk.ts';

export interface ExportOptions {
  readonly file: string;
  readonly scope: Scope;
  readonly concurrency: number;
  readonly rate: number | undefined;
  readonly failuresMax: number;
  readonly expected: number | undefined;
  readonly isQuiet: boolean;
}

export interface ExportSummary {
  readonly isResumed: boolean;
  /** The file is whole. */
  readonly isWhole: boolean;
  /** Why it is not, where something else than too many failures ended it. */
  readonly brokenOff: string | undefined;
  /** Lines in the file, those from before it was broken off too. */
  readonly objects: number;
  /** They could not be read, those from before it was broken off too. */
  readonly failed: number;
  readonly reasons: Readonly<Record<string, number>>;
  readonly tombstoneSiblings: number;
  readonly bytes: number;
  /** Of a whole file. */
  readonly fileBytes: number | undefined;
  readonly seconds: number;
}

export interface ExportEnds {
  readonly source: ClusterEnd;
  readonly keyFile: KeyFile;
}

const CHECKPOINT_INTERVAL_MS = 1_000;

export async function exportObjects(
  ends: ExportEnds,
  options: ExportOptions,
): Promise<ExportSummary> {
  const tally = new Tally();
  const writer = await ObjectFileWriter.open(options.file, scopeText(options.scope));
  // What was named before stays to be looked at.
  if (!writer.isResumed) await ends.keyFile.clear();
  const { expected, isQuiet, failuresMax } = options;
  const progress = new Progress({ tally, expected: () => expected, isQuiet });
  const rateLimit = new ObjectRateLimit(options.rate);
  const isOver = (): boolean => tally.count('failed') > failuresMax;
  let fileBytes: number | undefined;
  let writtenMs = performance.now();
  let brokenOff: string | undefined;
  try {
    for await (const page of ahead(walk(ends.source, options.scope, { from: writer.cursor }))) {
      await eachAtOnce(page.keys, options.concurrency, async (key) => {
        if (isOver()) return;
        await rateLimit.turn();
        await exportOne(ends, { page, key, writer, tally });
      });
      if (isOver()) break;
      // Every page is a place to go on from, but not worth a sync of its own.
      const isDue = performance.now() - writtenMs >= CHECKPOINT_INTERVAL_MS;
      if (!isDue || page.next === undefined) continue;
      await writer.checkpoint(page.next);
      writtenMs = performance.now();
    }
    if (!isOver()) fileBytes = await writer.finish();
  } catch (error) {
    brokenOff = breakOf(error);
  } finally {
    progress.end();
    await writer.close();
  }
  return {
    isResumed: writer.isResumed,
    isWhole: fileBytes !== undefined,
    brokenOff,
    objects: writer.objects,
    failed: writer.failed,
    reasons: tally.reasons,
    tombstoneSiblings: tally.tombstoneSiblings,
    bytes: tally.bytes,
    fileBytes,
    seconds: tally.seconds,
  };
}

interface ExportStep {
  readonly page: Page;
  readonly key: Page['keys'][number];
  readonly writer: ObjectFileWriter;
  readonly tally: Tally;
}

async function exportOne(
  { source, keyFile }: ExportEnds,
  { page: { place }, key: name, writer, tally }: ExportStep,
): Promise<void> {
  const key = { type: place.type, bucket: place.bucket, key: name };
  try {
    const { carried, context, tombstones } = await source.read(place, key);
    tally.tombstoneSiblings += tombstones;
    if (carried === undefined) {
      tally.add('gone');
      return;
    }
    await writer.add(encodeObjectLine({ key, carried, context }));
    tally.add('exported');
    tally.bytes += sizeOf(carried);
  } catch (error) {
    const reason = reasonOf(error);
    tally.add('failed', reason);
    writer.failed += 1;
    await keyFile.add(key, 'failed', reason);
  }
}
