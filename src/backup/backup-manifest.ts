/**
 * The manifest of a backup: whose it is, of when, and every file of it with its size and SHA-256.
 *
 *   BACKUP/backup.json       this, written last
 *   BACKUP/store/…           a store, ready to be started from
 *
 * It is JSON with a checksum of its own. A folder without it is no backup; while one is being made the
 * folder has another name besides.
 */

import { createHash } from 'node:crypto';
import { Fault } from '../base/fault.ts';

export interface BackupFile {
  /** From the folder of the backup, with `/`. */
  readonly path: string;
  readonly sizeBytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** The node at the moment of the backup. */
export interface BackupOrigin {
  readonly node: string;
  readonly cluster: string;
  readonly epoch: number;
}

export interface BackupManifest extends BackupOrigin {
  /** The moment that the backup shows, and when it was whole; ISO 8601. */
  readonly takenAt: string;
  readonly endedAt: string;
  /** In LevelDB: objects, index entries, hints, trees and all else. */
  readonly entries: number;
  readonly files: readonly BackupFile[];
}

export const MANIFEST_NAME = 'backup.json';

const FORMAT = 'vertebra-backup-1';

export function encodeManifest(manifest: BackupManifest): string {
  const body = { format: FORMAT, ...manifest };
  return `${JSON.stringify({ ...body, checksum: checksumOf(body) }, undefined, 1)}\n`;
}

/** Throws a fault with a sentence for the operator. */
export function decodeManifest(text: string): BackupManifest {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new Fault('malformed', `${MANIFEST_NAME} is no JSON`, { cause: error });
  }
  if (typeof document !== 'object' || document === null) {
    throw new Fault('malformed', `${MANIFEST_NAME} is no manifest`);
  }
  const { checksum, format, ...manifest } = document as Record<string, unknown>;
  if (format !== FORMAT) {
    throw new Fault('malformed', `${MANIFEST_NAME} is not of the form ${FORMAT}`);
  }
  if (checksum !== checksumOf({ format, ...manifest })) {
    throw new Fault('malformed', `${MANIFEST_NAME} is damaged: its checksum is wrong`);
  }
  // Sealed by its checksum, it is as `encodeManifest` was given it.
  return manifest as unknown as BackupManifest;
}

/** The order of the fields is the order they were written in, which JSON keeps. */
function checksumOf(body: Readonly<Record<string, unknown>>): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('hex');
}
