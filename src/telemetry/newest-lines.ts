/**
 * The newest lines of the log, kept in memory: for an operator who is on the machine while the log itself
 * has gone to a collector somewhere else. Bounded in number and in size; the oldest go.
 */

const LINES_MAX = 1_000;
const LINE_MAX_LENGTH = 4_096;
const LENGTH_MAX = 512 * 1024;

export class NewestLines {
  #lines: string[] = [];
  #length = 0;

  /** A line that is too long to be kept is left out: half of one could not be read. */
  note(line: string): void {
    if (line.length > LINE_MAX_LENGTH) return;
    this.#lines.push(line);
    this.#length += line.length;
    if (this.#lines.length <= LINES_MAX && this.#length <= LENGTH_MAX) return;
    // Half of them at a time: to shift each time would move all of them each time.
    const kept = this.#lines.slice(this.#lines.length >> 1);
    this.#lines = kept;
    this.#length = kept.reduce((sum, each) => sum + each.length, 0);
  }

  /** The last is the newest. */
  newest(count: number): readonly string[] {
    return this.#lines.slice(-count);
  }
}
