/**
 * Verifies an audit log: reads all files that are kept, and follows the chain through them.
 *
 * Needs no node. The chain cannot tell that its end was cut off or that all of it was written anew: whoever
 * must know that compares the last hash with one that was noted elsewhere, as the node does with what it
 * remembers.
 */

import { join } from 'node:path';
import { CURRENT_NAME, findFile, numberedFiles, readLines } from './audit-files.ts';
import { decodeLine, hashLine, NO_LINE } from './audit-line.ts';

export interface AuditVerdict {
  readonly isWhole: boolean;
  readonly files: number;
  readonly lines: number;
  /** The first ones, a sentence each. */
  readonly problems: readonly string[];
  /** When the oldest line that is kept was written. */
  readonly since: string | undefined;
  /** Of the last line: to be noted elsewhere. */
  readonly lastHash: string;
}

const PROBLEMS_MAX = 20;

/** `expectedHash`: that of the last line, if it is known. */
export async function verifyAudit(folder: string, expectedHash?: string): Promise<AuditVerdict> {
  const numbered = await numberedFiles(folder);
  const current = await findFile(join(folder, CURRENT_NAME));
  const check = new ChainCheck();
  for (const { name, number } of numbered) await check.readFile(folder, { name, number });
  const next = (numbered.at(-1)?.number ?? 0) + 1;
  if (current !== undefined) await check.readFile(folder, { name: CURRENT_NAME, number: next });
  else check.report(`${CURRENT_NAME} is missing`);
  if (expectedHash !== undefined && check.lastHash !== expectedHash) {
    check.report('the last line is not the one that was written last');
  }
  return check.verdict();
}

class ChainCheck {
  readonly #problems: string[] = [];
  #files = 0;
  #lines = 0;
  #since: string | undefined;
  /** Undefined: the line before it is not kept any more. */
  #previous: string | undefined;
  #number: number | undefined;

  get lastHash(): string {
    return this.#previous ?? NO_LINE;
  }

  report(problem: string): void {
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push(problem);
  }

  async readFile(
    folder: string,
    { name, number }: { readonly name: string; readonly number: number },
  ): Promise<void> {
    if (this.#number !== undefined && number !== this.#number + 1) {
      this.report(`files are missing before ${name}`);
    }
    if (number === 1) this.#previous = NO_LINE;
    this.#number = number;
    this.#files += 1;
    let lineNumber = 0;
    for await (const { line, isTorn } of readLines(join(folder, name))) {
      lineNumber += 1;
      if (isTorn) this.report(`${name} ends within line ${lineNumber}`);
      else this.#readLine(line, { place: `line ${lineNumber} of ${name}`, number, lineNumber });
    }
    if (lineNumber === 0) this.report(`${name} is empty`);
  }

  #readLine(
    line: Buffer,
    at: { readonly place: string; readonly number: number; readonly lineNumber: number },
  ): void {
    this.#lines += 1;
    const entry = decodeLine(line);
    const expected = this.#previous;
    this.#previous = hashLine(line);
    if (entry === undefined) {
      this.report(`${at.place} is no entry`);
      return;
    }
    this.#since ??= entry.time;
    const isBegin = entry.event === 'file-begun' && entry['number'] === at.number;
    if (at.lineNumber === 1 && !isBegin) this.report(`${at.place} is not the one it began with`);
    if (expected !== undefined && entry.previous !== expected) {
      this.report(`${at.place} does not follow the line before it: one was changed or removed`);
    }
  }

  verdict(): AuditVerdict {
    return {
      isWhole: this.#problems.length === 0,
      files: this.#files,
      lines: this.#lines,
      problems: this.#problems,
      since: this.#since,
      lastHash: this.lastHash,
    };
  }
}
