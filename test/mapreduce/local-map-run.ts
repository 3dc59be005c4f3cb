/**
 * A map run over reads alone, with the functions applied as a peer applies them: out of the encoded
 * task, with results in their outer form.
 */

import { decodeTerm, encodeTerm } from '../../src/mapreduce/external-term.ts';
import { isCrash } from '../../src/mapreduce/map-functions.ts';
import { Mapper, decodeTask } from '../../src/mapreduce/map-task.ts';
import { Turns } from '../../src/base/turns.ts';
import { SystemClock } from '../../src/telemetry/system-host.ts';
import { UNDEFINED } from '../../src/mapreduce/term.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import type { JobPorts, MapRun } from '../../src/mapreduce/job-ports.ts';
import type { ScriptEngine } from '../../src/mapreduce/script.ts';
import type { GetOutcome } from '../../src/object/requests.ts';

export class LocalMapRun implements MapRun {
  readonly #get: JobPorts['get'];
  readonly #mapper: Mapper | undefined;
  readonly #outcomes: Promise<Buffer | GetOutcome>[] = [];
  readonly isReady = true;

  constructor(get: JobPorts['get'], task: Buffer | undefined, scripts?: ScriptEngine) {
    this.#get = get;
    const known = task && decodeTask(task);
    const isRun = known !== undefined && (known.kind !== 'script' || scripts !== undefined);
    this.#mapper = isRun ? new Mapper(known, scripts, new Turns(new SystemClock())) : undefined;
  }

  add({ key, keyData }: Parameters<MapRun['add']>[0]): void {
    this.#outcomes.push(this.#map(key, keyData));
  }

  addRead(key: ObjectKey): void {
    this.#outcomes.push(this.#get({ key }));
  }

  take(): Promise<Buffer | GetOutcome> {
    return this.#outcomes.shift() as Promise<Buffer | GetOutcome>;
  }

  close(): void {
    this.#mapper?.close();
  }

  async #map(key: ObjectKey, keyData: Buffer | undefined): Promise<Buffer | GetOutcome> {
    const outcome = await this.#get({ key });
    if (outcome.kind !== 'found' || this.#mapper === undefined) return outcome;
    const data = keyData === undefined ? UNDEFINED : (decodeTerm(keyData) ?? UNDEFINED);
    const { object } = outcome;
    const found = { address: { key, keyData: data }, object: { kind: 'object', key, object } };
    const results = await this.#mapper.map(found as Parameters<Mapper['map']>[0]);
    return isCrash(results) ? outcome : (encodeTerm(results) ?? outcome);
  }
}
