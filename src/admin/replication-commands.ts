/**
 * Replication by an operator: how far it is, what is held for a while, what is to be compared now.
 *
 * Both halves of the node that is asked: the queues that others fetch from, and the sources that it fetches
 * from itself. What is paused is so on this node, until it is resumed or started again.
 */

import type { ReplicationService } from '../node/replication-queues.ts';
import { AdminRefusal, type AdminCommand } from './admin-server.ts';

/** What this node fetches elsewhere. */
export interface ReplicationSources {
  readonly names: readonly string[];
  status(): readonly unknown[];
  /** False: there is no such source. */
  setPaused(name: string, isPaused: boolean): boolean;
  /** False: one is under way, or the source is paused. */
  sync(name: string): boolean;
}

type Options = Readonly<Record<string, unknown>>;

export function replicationCommands(
  queues: ReplicationService,
  sources: ReplicationSources,
): Map<string, AdminCommand> {
  const setPaused = (options: Options, isPaused: boolean): string => {
    const { queue, source } = options;
    if (queue !== undefined && source !== undefined) {
      throw new AdminRefusal('name a queue or a source, not both');
    }
    if (typeof queue === 'string') {
      if (isPaused ? queues.pause(queue) : queues.resume(queue)) return done(queue, isPaused);
      throw noSuch('queue', queue, namesOf(queues));
    }
    if (typeof source === 'string') {
      if (sources.setPaused(source, isPaused)) return done(source, isPaused);
      throw noSuch('source', source, sources.names);
    }
    throw new AdminRefusal('name a queue or a source');
  };
  return new Map<string, AdminCommand>([
    ['replication status', async () => ({ queues: queues.status(), sources: sources.status() })],
    ['replication pause', async (options) => setPaused(options, true)],
    ['replication resume', async (options) => setPaused(options, false)],
    ['replication sync', async ({ source }) => sync(sources, source)],
    ['replication clear-overflow', async ({ queue }) => clearOverflow(queues, queue)],
  ]);
}

function done(name: string, isPaused: boolean): string {
  return isPaused
    ? `${name} is paused on this node until it is resumed or the node is started again`
    : `${name} goes on`;
}

/** Of one source, or of all of them. */
function sync(sources: ReplicationSources, source: unknown): string {
  if (sources.names.length === 0) throw new AdminRefusal('no source is configured');
  if (typeof source === 'string' && !sources.names.includes(source)) {
    throw noSuch('source', source, sources.names);
  }
  const wanted = typeof source === 'string' ? [source] : sources.names;
  const refused = wanted.filter((name) => !sources.sync(name));
  if (refused.length > 0) {
    const names = refused.join(', ');
    const begun = wanted.filter((name) => !refused.includes(name));
    const others = begun.length === 0 ? '' : `; ${begun.join(', ')} is being compared`;
    throw new AdminRefusal(
      `a full-sync of ${names} is under way, or the source is paused${others}`,
    );
  }
  return `${wanted.join(', ')} is being compared; see replication status`;
}

function clearOverflow(queues: ReplicationService, queue: unknown): string {
  if (typeof queue === 'string' && queues.clearOverflow(queue)) return `${queue} is taken as whole`;
  throw noSuch('queue', String(queue), namesOf(queues));
}

function namesOf(queues: ReplicationService): readonly string[] {
  return queues.status().map(({ name }) => name);
}

function noSuch(what: string, name: string, known: readonly string[]): AdminRefusal {
  const there = known.length === 0 ? 'none' : known.join(', ');
  return new AdminRefusal(`there is no ${what} ${name}; configured: ${there}`);
}
