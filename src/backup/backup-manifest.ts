/**
 * The manifest of a backup: whose it is, of when, and every file of it with its size and SHA-256.
 *
 *   BACKUP/backup.json       this, written last
 *   BACKUP/store/…           a store, ready to be started from
 *
 * It is JSON with a checksum of its own. A folder without it is no backup; while one is being made the
 * folder has another name besides. What it says is checked when it is read: whoever can write the file
 * can write its checksum too.
 */

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../base/fault.ts';

export interface BackupFile {
  /** From the folder of the backup, with `/`. */
  readonly path: string;
  readonly sizeBytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
  /** Of a segment: with its number it names these bytes, in backups of other times too. */
  readonly origin?: string;
  /** It is the file of the base too: one file with two names. */
  readonly isShared?: boolean;
}

/** The node at the moment of the backup. */
export interface BackupOrigin {
  readonly node: string;
  readonly cluster: string;
  readonly epoch: number;
}

/** The older backup that files were taken over from. */
export interface BaseNote {
  readonly folder: string;
  readonly takenAt: string;
  /** Whether the checksums of what was taken over were believed, not computed again. */
  readonly isTrusted: boolean;
}

export interface BackupManifest extends BackupOrigin {
  /** The moment that the backup shows, and when it was whole; ISO 8601. */
  readonly takenAt: string;
  readonly endedAt: string;
  /** In LevelDB: objects, index entries, hints, trees and all else. */
  readonly entries: number;
  /** Of the files below: those that are its own, and those that it has in common with its base. */
  readonly copiedBytes: number;
  readonly sharedBytes: number;
  readonly base?: BaseNote;
  readonly files: readonly BackupFile[];
}

export const MANIFEST_NAME = 'backup.json';

const FORMAT = 'vertebra-backup-1';
/** A million segments and more. */
const SIZE_MAX_BYTES = 256 * 1024 * 1024;
/** Nothing above the folder, and nothing hidden. */
const PATH = /^[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/;
const SHA256 = /^[0-9a-f]{64}$/;

export function encodeManifest(manifest: BackupManifest): string {
  return sealed(FORMAT, manifest);
}

/** Throws a fault with a sentence for the operator. */
export function decodeManifest(text: string): BackupManifest {
  const manifest = unsealed(text, { name: MANIFEST_NAME, format: FORMAT });
  const { node, cluster, epoch, takenAt, endedAt, files } = manifest;
  const isWhole =
    [node, cluster, takenAt, endedAt].every((field) => typeof field === 'string') &&
    isCount(epoch) &&
    Array.isArray(files) &&
    files.every(isFile);
  if (!isWhole) throw new Fault('malformed', `${MANIFEST_NAME} says what no manifest says`);
  return manifest as unknown as BackupManifest;
}

/** Rejects with a fault where there is no whole backup. */
export async function readManifest(folder: string): Promise<BackupManifest> {
  return decodeManifest(await readSealed(folder, MANIFEST_NAME));
}

/** The text of a file of this kind; rejects with a fault where there is none. */
export async function readSealed(folder: string, name: string): Promise<string> {
  try {
    const file = await open(join(folder, name), 'r');
    try {
      const { size } = await file.stat();
      if (size > SIZE_MAX_BYTES) throw new Error(`it has ${size} bytes`);
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Fault('config', `${folder} is no whole backup: ${name} cannot be read: ${reason}`, {
      cause: error,
    });
  }
}

/** JSON under a checksum. */
export function sealed(format: string, fields: object): string {
  const body = { format, ...fields };
  return `${JSON.stringify({ ...body, checksum: checksumOf(body) }, undefined, 1)}\n`;
}

/** The fields of what `sealed` has made; throws a fault for anything else. */
export function unsealed(
  text: string,
  { name, format }: { readonly name: string; readonly format: string },
): Record<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new Fault('malformed', `${name} is no JSON`, { cause: error });
  }
  if (typeof document !== 'object' || document === null) {
    throw new Fault('malformed', `${name} is no manifest`);
  }
  const { checksum, format: found, ...fields } = document as Record<string, unknown>;
  if (found !== format) throw new Fault('malformed', `${name} is not of the form ${format}`);
  if (checksum !== checksumOf({ format, ...fields })) {
    throw new Fault('malformed', `${name} is damaged: its checksum is wrong`);
  }
  return fields;
}

/** The order of the fields is the order they were written in, which JSON keeps. */
function checksumOf(body: Readonly<Record<string, unknown>>): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('hex');
}

function isFile(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { path, sizeBytes, sha256, origin = '', isShared = false } = value as Partial<BackupFile>;
  return (
    typeof path === 'string' &&
    PATH.test(path) &&
    isCount(sizeBytes) &&
    typeof sha256 === 'string' &&
    SHA256.test(sha256) &&
    typeof origin === 'string' &&
    typeof isShared === 'boolean'
  );
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
