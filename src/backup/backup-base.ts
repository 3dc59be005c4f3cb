/**
 * The base of an incremental backup: an older one of the same node, whose segments are taken over.
 *
 * A segment is the same if its number, its origin and its size are, and it is taken over by a hard link:
 * one file with two names. So either backup is whole without the other, and what damages the one
 * damages both. Nothing that the base says or holds is believed without a look: what is not as its
 * manifest says is not taken over. What is looked at is the new name, so that it does not matter
 * who touches the base meanwhile.
 */

import { link, lstat, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../base/fault.ts';
import type { SegmentExtent } from '../storage/store-snapshot.ts';
import { codeOf } from './backup-files.ts';
import { MANIFEST_NAME, readManifest } from './backup-manifest.ts';
import type { BackupFile, BackupManifest, BackupOrigin, BaseNote } from './backup-manifest.ts';

export interface BaseRequest {
  /** Absolute. */
  readonly folder: string;
  /** Whether its checksums are believed. What is taken over is not read then. */
  readonly isTrusted: boolean;
}

/** `fresh`: the base has no such segment; `refused`: it should have, but why it was not taken over. */
export type TakeOver =
  | { readonly kind: 'shared'; readonly file: BackupFile }
  | { readonly kind: 'fresh' }
  | { readonly kind: 'refused'; readonly reason: string };

export class BackupBase {
  readonly folder: string;
  readonly isTrusted: boolean;
  readonly #manifest: BackupManifest;
  readonly #fileByPath: ReadonlyMap<string, BackupFile>;

  private constructor({ folder, isTrusted }: BaseRequest, manifest: BackupManifest) {
    this.folder = folder;
    this.isTrusted = isTrusted;
    this.#manifest = manifest;
    this.#fileByPath = new Map(manifest.files.map((file) => [file.path, file]));
  }

  /** Rejects with a fault unless it is a whole backup of this node. */
  static async open(request: BaseRequest, origin: BackupOrigin): Promise<BackupBase> {
    const folder = await realpath(request.folder).catch(() => request.folder);
    if (/\.partial(\/|$)/.test(folder)) {
      throw new Fault('config', `${folder} is no whole backup: it was cut off, or is being made`);
    }
    const manifest = await readManifest(folder);
    const { node, cluster } = manifest;
    if (node !== origin.node || cluster !== origin.cluster) {
      const own = `${origin.node} in ${origin.cluster}`;
      throw new Fault('config', `${folder} is a backup of ${node} in ${cluster}, not of ${own}`);
    }
    return new BackupBase({ ...request, folder }, manifest);
  }

  get note(): BaseNote {
    const { folder, isTrusted } = this;
    return { folder, takenAt: this.#manifest.takenAt, isTrusted };
  }

  /** Rejects with a fault unless files of it can have another name in `folder`, which is there. */
  async mustLinkTo(folder: string): Promise<void> {
    const name = join(folder, `base-${MANIFEST_NAME}`);
    try {
      await link(join(this.folder, MANIFEST_NAME), name);
      await rm(name);
    } catch (error) {
      const reason = codeOf(error) === 'EXDEV' ? 'it is on another file system' : messageOf(error);
      throw new Fault('config', `${this.folder} cannot share its files with ${folder}: ${reason}`, {
        cause: error,
      });
    }
  }

  /** Whether it should have the segment as it is in the store. */
  has({ sizeBytes, origin }: SegmentExtent, path: string): boolean {
    const file = this.#fileByPath.get(path);
    return origin !== undefined && file?.origin === origin && file.sizeBytes === sizeBytes;
  }

  /** Gives its file of the segment a second name in `folder`. The contents have not been looked at. */
  async takeOver(
    extent: SegmentExtent,
    { folder, path }: { readonly folder: string; readonly path: string },
  ): Promise<TakeOver> {
    const file = this.#fileByPath.get(path);
    if (file === undefined || !this.has(extent, path)) return { kind: 'fresh' };
    const name = join(folder, path);
    try {
      await link(join(this.folder, path), name);
    } catch (error) {
      // If the disk refuses more than this, copying meets it too.
      return { kind: 'refused', reason: messageOf(error) };
    }
    const found = await lstat(name);
    if (found.isFile() && found.size === file.sizeBytes) {
      const { sizeBytes, sha256 } = file;
      const origin = extent.origin ?? '';
      return { kind: 'shared', file: { path, sizeBytes, sha256, origin, isShared: true } };
    }
    await rm(name);
    const what = found.isFile() ? `has ${found.size} bytes` : 'is no file';
    return { kind: 'refused', reason: `it ${what} instead of ${file.sizeBytes}` };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
