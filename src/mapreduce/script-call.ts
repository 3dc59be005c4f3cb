/**
 * Functions in JavaScript as phases use them: where their text comes from, and one call.
 *
 * What functions take and give crosses as JSON; a function gives a list, or has failed.
 */

import { jsonDepth } from '../base/json-depth.ts';
import { jsonToTerm } from './term-json.ts';
import { isScriptName } from './script.ts';
import type { JobPorts } from './job-ports.ts';
import type { Crash } from './map-functions.ts';
import type { ScriptSession, ScriptSource } from './script.ts';
import type { TermList } from './term.ts';

const DEPTH_MAX = 64;

/** The JavaScript that a phase names. */
export async function expressionOf(
  source: ScriptSource,
  ports: Pick<JobPorts, 'get'>,
  timeoutMs: number,
): Promise<string | Crash> {
  switch (source.kind) {
    case 'name':
      return isScriptName(source.name) ? source.name : NO_FUNCTION;
    case 'text':
      return source.text;
    case 'stored': {
      const outcome = await ports.get({ key: source.key, timeoutMs });
      const value = outcome.kind === 'found' ? outcome.object.siblings[0]?.value : undefined;
      return value === undefined ? NO_FUNCTION : value.toString();
    }
  }
}

const NO_FUNCTION: Crash = { crash: 'no_function' };

/** `args` is the JSON of a list. */
export async function callScript(session: ScriptSession, args: string): Promise<TermList | Crash> {
  const outcome = await session.call(args);
  return outcome.kind === 'failed' ? { crash: outcome.message } : listOf(outcome.json);
}

export function listOf(json: string): TermList | Crash {
  if (jsonDepth(Buffer.from(json)) > DEPTH_MAX) return { crash: 'too_deep' };
  const value: unknown = JSON.parse(json);
  return Array.isArray(value) ? value.map(jsonToTerm) : { crash: 'the function gave no list' };
}
