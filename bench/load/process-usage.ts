/**
 * What node processes of this machine use, from Linux's /proc: processor, memory, bytes written.
 *
 * A process is found by the port it listens on. Elsewhere, or where another user owns it, there is
 * nothing to see and the report has no such columns.
 */

import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { cpuMicrosOf, ownBytesOf, residentBytesOf } from '../process-costs.ts';
import type { ResourceSample } from '../report/result.ts';

export interface WatchedProcess {
  readonly name: string;
  readonly pid: number;
}

/** The process that listens on the port, if it is one of this machine that may be looked at. */
export function findListener(port: number): number | undefined {
  const inode = listeningInodes().get(port);
  if (inode === undefined) return undefined;
  const wanted = `socket:[${inode}]`;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (descriptorsOf(pid).includes(wanted)) return Number(pid);
  }
  return undefined;
}

function listeningInodes(): Map<number, string> {
  const inodes = new Map<number, string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readOr(table, '').split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const port = parseInt(fields[1]?.split(':')[1] ?? '', 16);
      // 0A is the state of a socket that listens.
      if (fields[3] === '0A' && fields[9] !== undefined) inodes.set(port, fields[9]);
    }
  }
  return inodes;
}

function descriptorsOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((descriptor) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${descriptor}`);
      } catch {
        // Closed in between.
        return '';
      }
    });
  } catch {
    // Another user's, or gone.
    return [];
  }
}

interface Reading {
  readonly atMs: number;
  readonly cpuMicros: number;
  readonly residentBytes: number;
  readonly ownBytes: number;
  readonly writtenBytes: number;
}

export class UsageWatch {
  readonly #last = new Map<string, Reading>();

  /** Since the sample before; the first of a process, and of one that has just started, is none. */
  sample(processes: readonly WatchedProcess[], nowMs: number): ResourceSample[] {
    return processes.flatMap(({ name, pid }) => {
      const reading = read(pid, nowMs);
      const key = `${name} ${pid}`;
      const before = this.#last.get(key);
      if (reading === undefined) return [];
      this.#last.set(key, reading);
      if (before === undefined) return [];
      const lengthMs = Math.max(1, nowMs - before.atMs);
      const seconds = lengthMs / 1_000;
      return [
        {
          atMs: nowMs,
          lengthMs,
          process: name,
          cores: (reading.cpuMicros - before.cpuMicros) / 1e6 / seconds,
          residentBytes: reading.residentBytes,
          ownBytes: reading.ownBytes,
          writtenBytesPerSecond: (reading.writtenBytes - before.writtenBytes) / seconds,
        },
      ];
    });
  }
}

function read(pid: number, atMs: number): Reading | undefined {
  try {
    const written = /^write_bytes: (\d+)$/m.exec(readOr(`/proc/${pid}/io`, ''))?.[1];
    return {
      atMs,
      cpuMicros: cpuMicrosOf([pid]),
      residentBytes: residentBytesOf(pid),
      ownBytes: ownBytesOf(pid),
      writtenBytes: Number(written ?? 0),
    };
  } catch {
    // It has ended.
    return undefined;
  }
}

function readOr(path: string, fallback: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Not Linux, or not ours to see.
    return fallback;
  }
}
