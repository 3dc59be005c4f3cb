/**
 * Map functions of MapReduce on this node's copies, for the node that runs the job.
 *
 * Each object is shown as its bucket shows it and given to the function; the results go back, the
 * object stays. An answer holds what fits into its bytes and its time, of one input at least, so that
 * neither a large result nor a slow function holds up what else comes over the link.
 */

import { Fault } from '../base/fault.ts';
import { Turns } from '../base/turns.ts';
import type { Host } from '../base/host.ts';
import { show } from '../coordinator/show.ts';
import { decodeTerm, encodeTerm } from '../mapreduce/external-term.ts';
import { isCrash } from '../mapreduce/map-functions.ts';
import { Mapper, decodeTask } from '../mapreduce/map-task.ts';
import { UNDEFINED } from '../mapreduce/term.ts';
import type { ScriptEngine } from '../mapreduce/script.ts';
import { isTombstone } from '../object/show.ts';
import type { StoredObject } from '../object/stored-object.ts';
import type { MapInput, MapOutput, PeerReply, PeerRequest } from '../peer/messages.ts';
import type { Replica } from '../replica/replica.ts';
import type { Topology } from './topology.ts';

export interface MapRequestsPorts {
  readonly host: Host;
  readonly replica: Replica;
  readonly topology: Topology;
  /** Undefined: functions in JavaScript are not run here. */
  readonly scripts: ScriptEngine | undefined;
}

/** Requests at once; each holds the objects that it reads together. */
const REQUESTS_MAX = 32;
const READS_AT_ONCE = 8;
/** After so much an answer leaves. */
const REPLY_BYTES = 256 * 1024;
const REPLY_MS = 250;

export class MapRequests {
  readonly #ports: MapRequestsPorts;
  #requestCount = 0;

  constructor(ports: MapRequestsPorts) {
    this.#ports = ports;
  }

  async answer({ task, inputs }: Extract<PeerRequest, { verb: 'map' }>): Promise<PeerReply> {
    const { scripts } = this.#ports;
    const known = decodeTask(task);
    if (known === undefined || (known.kind === 'script' && scripts === undefined)) {
      throw new Fault('peer-refused', 'the map function is not run here');
    }
    if (this.#requestCount >= REQUESTS_MAX) throw new Fault('overload', 'too many map functions');
    this.#requestCount += 1;
    const turns = new Turns(this.#ports.host.clock);
    const mapper = new Mapper(known, scripts, turns);
    try {
      return { kind: 'mapped', outputs: await this.#outputs(inputs, mapper, turns) };
    } finally {
      mapper.close();
      this.#requestCount -= 1;
    }
  }

  async #outputs(
    inputs: readonly MapInput[],
    mapper: Mapper,
    turns: Turns,
  ): Promise<readonly MapOutput[]> {
    const { clock, metrics } = this.#ports.host;
    const endMs = clock.monotonicMs() + REPLY_MS;
    const outputs: MapOutput[] = [];
    let sizeBytes = 0;
    const isEnough = (): boolean => sizeBytes >= REPLY_BYTES || clock.monotonicMs() >= endMs;
    for (let start = 0; start < inputs.length; start += READS_AT_ONCE) {
      const some = inputs.slice(start, start + READS_AT_ONCE);
      const objects = await Promise.all(some.map((input) => this.#read(input)));
      for (const [index, object] of objects.entries()) {
        const output =
          object === undefined ? 'absent' : await map(mapper, some[index] as MapInput, object);
        outputs.push(output);
        sizeBytes += output.length;
        if (turns.spend(output.length + sizeOf(object))) await turns.pass();
        if (isEnough()) break;
      }
      if (isEnough()) break;
    }
    metrics.count('map_inputs_served', outputs.length);
    return outputs;
  }

  /** Undefined: nothing is here that a function would be given. */
  async #read({ key }: MapInput): Promise<StoredObject | undefined> {
    const { replica, topology, host } = this.#ports;
    const place = topology.place(key);
    if (place === undefined) return undefined;
    host.metrics.count('vnode_gets');
    // One replica is asked, and another may have confirmed the write before.
    await replica.settled(key);
    const object = await replica.get(key, place.partition);
    if (object === undefined) return undefined;
    const shown = await show(object, place.properties, host.clock);
    return isTombstone(shown) ? undefined : shown;
  }
}

/** A function may look at all of it, whatever comes of that. */
function sizeOf(object: StoredObject | undefined): number {
  const siblings = object?.siblings ?? [];
  return siblings.reduce((sum, { value }) => sum + 512 + value.length, 64);
}

async function map(
  mapper: Mapper,
  { key, keyData }: MapInput,
  object: StoredObject,
): Promise<MapOutput> {
  const data = keyData === undefined ? UNDEFINED : decodeTerm(keyData);
  if (data === undefined) return 'unable';
  const results = await mapper.map({
    address: { key, keyData: data },
    object: { kind: 'object', key, object },
  });
  return isCrash(results) ? 'unable' : (encodeTerm(results) ?? 'unable');
}
