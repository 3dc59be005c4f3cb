/**
 * The transcript runners, typed.
 *
 * `replay-pbc.mjs` and `replay-http.mjs` stand alone, so that they can be run against any server
 * without a build; tests reach them through here. The recorded data and its format are described in
 * `PBC.md` and `README.md` beside this file.
 */

/** The recorded data is not compiled: it stays where it is in the source tree. */
export const TRANSCRIPTS_FOLDER = new URL('../../../test/transcripts/', import.meta.url);

/** What to replay; nothing given means everything. */
export interface ReplayOptions {
  /** `host:port` */
  readonly target: string;
  readonly area?: string;
  /** A part of scenario names. */
  readonly name?: string;
  /** Scenarios in flight. */
  readonly jobs?: number;
}

export interface PbcReplayOptions extends ReplayOptions {
  /** Instead of the waits that real Riak needs until bucket properties reach every node. */
  readonly settle?: number;
  /** Tags of scenarios to leave out, such as `three-nodes`. */
  readonly skip?: readonly string[];
}

export interface ReplayResult {
  readonly area: string;
  readonly name: string;
  /** Step, what was expected and what came; undefined where the scenario passed. */
  readonly failure: string | undefined;
}

/** Rejects when nothing was selected or the server cannot be reached. */
export async function replayPbc(options: PbcReplayOptions): Promise<readonly ReplayResult[]> {
  const { replay } = (await load('replay-pbc.mjs')) as PbcRunner;
  const { results } = await replay(options);
  return results.map(({ area, name, failure }) => ({ area, name, failure }));
}

export async function replayHttp(options: ReplayOptions): Promise<readonly ReplayResult[]> {
  const { replay } = (await load('replay-http.mjs')) as HttpRunner;
  const { results } = await replay(options);
  return results.map(({ area, name, passed, step, request, difference }) => ({
    area,
    name,
    failure: passed ? undefined : `step ${step} ${request}: ${difference}`,
  }));
}

interface PbcRunner {
  replay(options: PbcReplayOptions): Promise<{
    readonly results: readonly {
      readonly area: string;
      readonly name: string;
      readonly failure?: string;
    }[];
  }>;
}

interface HttpRunner {
  replay(options: ReplayOptions): Promise<{
    readonly results: readonly {
      readonly area: string;
      readonly name: string;
      readonly passed: boolean;
      readonly step?: number;
      readonly request?: string;
      readonly difference?: string;
    }[];
  }>;
}

function load(file: string): Promise<unknown> {
  return import(new URL(file, TRANSCRIPTS_FOLDER).href);
}
