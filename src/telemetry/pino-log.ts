/**
 * The log: one JSON object a line, to standard output or a file.
 *
 * Each line has the time, the level, the node, a stable dotted event name and its fields. Writing
 * never waits for the reader: lines are buffered up to a bound, and what does not fit is dropped and
 * counted, because a full pipe must not stop a node. A level that is off costs one comparison;
 * `LogLevels` says which are on.
 */

import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';
import type { Log, LogFields } from '../base/host.ts';
import type { LogLevels } from '../base/log-levels.ts';
import { NewestLines } from './newest-lines.ts';

/** How much may wait for a slow reader. */
const BUFFER_MAX_BYTES = 8 * 1024 * 1024;

export interface LogOptions {
  readonly levels: LogLevels;
  /** `stdout`, or the path of a file that is appended to. Default `stdout`. */
  readonly destination?: string;
  /** The node's name, on every line. */
  readonly node: string;
}

/** Where the lines go: the part of a sonic-boom stream that is used here. */
export interface LogDestination extends DestinationStream {
  flushSync?(): void;
}

export class PinoLog implements Log {
  readonly #logger: Logger;
  readonly #levels: LogLevels;
  readonly #destination: LogDestination;
  readonly #newestLines = new NewestLines();
  #dropped = 0;

  /** `destination` replaces the one that the options name. */
  constructor(options: LogOptions, destination?: LogDestination) {
    this.#destination = destination ?? this.#openDestination(options.destination ?? 'stdout');
    this.#levels = options.levels;
    this.#logger = pino(
      {
        level: 'debug',
        base: { node: options.node },
        messageKey: 'event',
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        serializers: { error: describeError, reason: describeError },
      },
      { write: (line) => this.#write(line) },
    );
    // Whatever the level is: a log must say itself why it says more or less from here on.
    options.levels.changed = (subsystem, level) => {
      this.#logger.info({ subsystem, to: level }, 'node.log-level');
    };
  }

  debug(event: string, fields: LogFields = {}): void {
    if (this.#levels.admits('debug', event)) this.#logger.debug(fields, event);
  }

  info(event: string, fields: LogFields = {}): void {
    if (this.#levels.admits('info', event)) this.#logger.info(fields, event);
  }

  warn(event: string, fields: LogFields = {}): void {
    if (this.#levels.admits('warn', event)) this.#logger.warn(fields, event);
  }

  error(event: string, fields: LogFields = {}): void {
    if (this.#levels.admits('error', event)) this.#logger.error(fields, event);
  }

  /** The newest lines that were written, each a JSON object; the last is the newest. */
  newest(count: number): readonly string[] {
    return this.#newestLines.newest(count);
  }

  /** Lines that found no room since the start. */
  get droppedLines(): number {
    return this.#dropped;
  }

  /** Writes out what is buffered, at once: for the last words of a process. */
  flush(): void {
    this.#destination.flushSync?.();
  }

  #write(line: string): void {
    this.#newestLines.note(line);
    this.#destination.write(line);
  }

  #openDestination(name: string): LogDestination {
    const stream = pino.destination({
      dest: name === 'stdout' ? 1 : name,
      sync: false,
      mkdir: true,
      maxLength: BUFFER_MAX_BYTES,
    });
    stream.on('drop', () => {
      this.#dropped += 1;
    });
    // A closed pipe or a full disk: there is nowhere left to say so, and the node must live on.
    stream.on('error', () => {
      this.#dropped += 1;
    });
    return stream;
  }
}

/** An error as its code, message and stack; anything else as it is. */
function describeError(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const code = 'code' in value ? value.code : undefined;
  return { code, message: value.message, stack: value.stack, cause: describeError(value.cause) };
}
