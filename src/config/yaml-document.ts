/**
 * A YAML text, its value, and where each field stands in it.
 *
 * JSON is YAML, so this reads both. Anything that YAML itself objects to (a key twice, a tab as
 * indentation, references that multiply) is a `config` fault that names file and line.
 */

import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { Fault } from '../base/fault.ts';
import { pathToText } from './document-check.ts';
import type { Problem } from './document-check.ts';

/** No cluster needs a longer one. */
const TEXT_MAX_CHARACTERS = 4 * 1024 * 1024;

export class YamlDocument {
  readonly #name: string;
  readonly #document: Document;
  readonly #lines: LineCounter;

  /** `name` is how messages call the file. */
  constructor(name: string, text: string) {
    if (text.length > TEXT_MAX_CHARACTERS) {
      throw new Fault('config', `${name} is longer than ${TEXT_MAX_CHARACTERS} characters`);
    }
    this.#name = name;
    this.#lines = new LineCounter();
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    const [error] = this.#document.errors;
    if (error !== undefined) {
      const { line } = this.#lines.linePos(error.pos[0]);
      const why = error.code === 'MULTIPLE_DOCS' ? 'a second document begins' : error.message;
      throw new Fault('config', `${name}, line ${line}: ${why}`);
    }
  }

  /** A fresh copy of the plain value. */
  value(): unknown {
    try {
      return this.#document.toJS({ maxAliasCount: 100 }) as unknown;
    } catch (cause) {
      throw new Fault('config', `${this.#name} cannot be read: ${String(cause)}`, { cause });
    }
  }

  /** A fault that lists the problems, one a line. */
  fault(problems: readonly Problem[]): Fault {
    const lines = problems.map((problem) => {
      const subject = pathToText(problem.path) || 'the file';
      return `${this.#name}, line ${this.#lineOf(problem)}: ${subject} ${problem.sentence}`;
    });
    return new Fault('config', lines.join('\n'));
  }

  /** The line of the field, or of the nearest group around it that is there. */
  #lineOf(problem: Problem): number {
    const { path } = problem;
    for (let depth = path.length; depth > 0; depth -= 1) {
      const start = this.#startOfKey(path.slice(0, depth)) ?? this.#startOf(path.slice(0, depth));
      if (start !== undefined) return this.#lines.linePos(start).line;
    }
    return 1;
  }

  #startOf(path: readonly (string | number)[]): number | undefined {
    const found = this.#document.getIn(path, true);
    return isNode(found) ? found.range?.[0] : undefined;
  }

  #startOfKey(path: readonly (string | number)[]): number | undefined {
    const parent =
      path.length === 1 ? this.#document.contents : this.#document.getIn(path.slice(0, -1), true);
    if (!isMap(parent)) return undefined;
    const pair = parent.items.find((item) => isScalar(item.key) && item.key.value === path.at(-1));
    return isNode(pair?.key) ? pair.key.range?.[0] : undefined;
  }
}
