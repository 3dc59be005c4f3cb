/**
 * The folder in which a backup is made, `FOLDER.partial`: it is a backup when it has lost that name.
 *
 *   FOLDER.partial/made-by   the node, as long as it is at it
 *
 * Nodes may be given one folder by mistake. What a node has left there itself, when it was ended, it
 * removes; what is another's it lets alone, and nothing that another has laid hands on is ever kept:
 * such a backup would count as whole and lack what was removed.
 */

import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Fault } from '../base/fault.ts';
import { codeOf, syncFolder, writeSynced } from './backup-files.ts';
import type { BackupOrigin } from './backup-manifest.ts';

const NOTE_NAME = 'made-by';

export class PartialFolder {
  readonly path: string;
  readonly #folder: string;
  readonly #maker: string;

  private constructor(folder: string, maker: string) {
    this.path = `${folder}.partial`;
    this.#folder = folder;
    this.#maker = maker;
  }

  /** A new one. Rejects with a fault if it is another node's. */
  static async claim(folder: string, { node, cluster }: BackupOrigin): Promise<PartialFolder> {
    const partial = new PartialFolder(folder, `${node} in ${cluster}`);
    const maker = await partial.#readMaker();
    if (maker !== undefined && maker !== partial.#maker) throw partial.#isOf(maker);
    await rm(partial.path, { recursive: true, force: true });
    try {
      await mkdir(partial.path, { mode: 0o700 });
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      throw partial.#isOf((await partial.#readMaker()) ?? 'another');
    }
    try {
      await writeSynced(partial.#notePath, partial.#maker);
    } catch (error) {
      await partial.discard();
      throw error;
    }
    return partial;
  }

  /** From here on it is a backup. Rejects with a fault if another node has taken it meanwhile. */
  async keep(): Promise<void> {
    const maker = await this.#readMaker();
    if (maker !== this.#maker) throw this.#isOf(maker ?? 'another');
    await rm(this.#notePath);
    await syncFolder(this.path);
    await rename(this.path, this.#folder);
    await syncFolder(dirname(this.#folder));
  }

  /** Gone, unless another node has taken it. */
  async discard(): Promise<void> {
    const maker = await this.#readMaker();
    if (maker !== undefined && maker !== this.#maker) return;
    await rm(this.path, { recursive: true, force: true });
  }

  get #notePath(): string {
    return join(this.path, NOTE_NAME);
  }

  /** Undefined: it is nobody's, or of one who was ended before it could say. */
  async #readMaker(): Promise<string | undefined> {
    try {
      return (await readFile(this.#notePath, 'utf8')) || undefined;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  #isOf(maker: string): Fault {
    const reason = `is of ${maker}, which makes a backup there, or was ended while it did`;
    return new Fault('config', `${this.path} ${reason}: take another folder, or remove it`);
  }
}
