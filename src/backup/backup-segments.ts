/**
 * The segments of a backup: taken over from its base where that has them, else copied from the store.
 *
 * Names are taken over and segments copied while the snapshot keeps the store from removing any. What
 * was taken over is read afterwards, when nothing of the node waits for it any more. If its checksum
 * is wrong it is copied after all, and the backup fails if the node has collected the segment by then.
 */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import { segmentFileName } from '../storage/segment-files.ts';
import type { SegmentExtent, StoreSnapshot } from '../storage/store-snapshot.ts';
import type { BackupBase } from './backup-base.ts';
import { checksumFile, copyFile } from './backup-files.ts';
import type { Passed } from './backup-files.ts';
import type { BackupFile } from './backup-manifest.ts';

export interface BackupSegmentsPorts {
  readonly snapshot: StoreSnapshot;
  readonly base: BackupBase | undefined;
  /** What will be the backup. */
  readonly folder: string;
  /** Called for what is copied, and for what is only looked at. */
  readonly copied: Passed;
  readonly looked: Passed;
  /** A file of the base is now one of the backup, or no longer. */
  readonly shared: (sizeBytes: number) => void;
  /** A file of the base could not be taken over. */
  readonly refused: () => void;
}

interface Segment {
  readonly extent: SegmentExtent;
  readonly file: BackupFile;
}

/** What looking at a name costs, beside reading. */
const LOOK_BYTES = 4096;

export class BackupSegments {
  readonly #host: Host;
  readonly #ports: BackupSegmentsPorts;
  readonly #segments: Segment[] = [];

  constructor(host: Host, ports: BackupSegmentsPorts) {
    this.#host = host;
    this.#ports = ports;
  }

  get files(): readonly BackupFile[] {
    return this.#segments.map(({ file }) => file);
  }

  /** How much will have to be copied, if the base is as it says. */
  get freshBytes(): number {
    const { snapshot, base } = this.#ports;
    const fresh = snapshot.segments().filter((extent) => !base?.has(extent, pathOf(extent)));
    return fresh.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** False: halted. The snapshot must be open. */
  async write(): Promise<boolean> {
    for (const extent of this.#ports.snapshot.segments()) {
      const file = (await this.#takeOver(extent)) ?? (await this.#copy(extent));
      if (file === undefined) return false;
      this.#segments.push({ extent, file });
      if (file.isShared && !(await this.#ports.looked(LOOK_BYTES))) return false;
    }
    return true;
  }

  /** Reads what was taken over; false: halted. The snapshot may be closed. */
  async check(): Promise<boolean> {
    const { folder, looked, shared } = this.#ports;
    for (const [index, { extent, file }] of this.#segments.entries()) {
      if (!file.isShared) continue;
      const found = await checksumFile(folder, file.path, { isSynced: false, passed: looked });
      if (found === undefined) return false;
      if (found.sha256 === file.sha256 && found.sizeBytes === file.sizeBytes) continue;
      this.#refuse(extent, 'its checksum is wrong');
      shared(-file.sizeBytes);
      await rm(join(folder, file.path));
      const copy = await this.#copyAfterAll(extent);
      if (copy === undefined) return false;
      this.#segments[index] = { extent, file: copy };
    }
    return true;
  }

  async #takeOver(extent: SegmentExtent): Promise<BackupFile | undefined> {
    const { base, folder, shared } = this.#ports;
    const taken = await base?.takeOver(extent, { folder, path: pathOf(extent) });
    if (taken?.kind === 'refused') this.#refuse(extent, taken.reason);
    if (taken?.kind !== 'shared') return undefined;
    shared(taken.file.sizeBytes);
    return taken.file;
  }

  #refuse({ segment }: SegmentExtent, reason: string): void {
    this.#host.metrics.count('backup_base_damaged_total');
    this.#host.log.warn('backup.base_damaged', { segment, reason });
    this.#ports.refused();
  }

  async #copyAfterAll(extent: SegmentExtent): Promise<BackupFile | undefined> {
    try {
      return await this.#copy(extent);
    } catch (error) {
      if (!isFault(error, 'store-corrupt')) throw error;
      const name = segmentFileName(extent.segment);
      const reason = `${name} of the base is damaged, and the node has collected it since: begin again`;
      throw new Fault('config', reason, { cause: error });
    }
  }

  async #copy(extent: SegmentExtent): Promise<BackupFile | undefined> {
    const { snapshot, folder, copied } = this.#ports;
    const { segment, sizeBytes, neededBytes, origin } = extent;
    const readAt = async (position: number, into: Buffer): Promise<number> => {
      try {
        return await snapshot.readSegment(segment, position, into);
      } catch (error) {
        // Its loss is known and mended; only its account is left.
        if (isFault(error, 'store-corrupt') && neededBytes === 0) return 0;
        throw error;
      }
    };
    const target = { folder, path: pathOf(extent), passed: copied };
    const file = await copyFile({ readAt, sizeBytes }, target);
    if (file === undefined) return undefined;
    if (file.sizeBytes < neededBytes) {
      throw new Fault('store-corrupt', 'a segment of the value log has been cut short');
    }
    return origin === undefined ? file : { ...file, origin };
  }
}

function pathOf({ segment }: SegmentExtent): string {
  return `store/values/${segmentFileName(segment)}`;
}
