/**
 * Functions in JavaScript as phases use them: where their text comes from, and one call.
 *
 * What functions take and give crosses as JSON; a function gives a list, or has failed.
 */

import { HELD_MAX_BYTES, itemsOf } from './script-results.ts';
import { isScriptName } from './script.ts';
import { termSizeBytes } from './term.ts';
import type { Turns } from '../base/turns.ts';
import type { JobPorts } from './job-ports.ts';
import type { Crash } from './map-functions.ts';
import type { ScriptSession, ScriptSource } from './script.ts';
import type { Term, TermList } from './term.ts';

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
export async function callScript(
  session: ScriptSession,
  args: string,
  turns: Turns,
): Promise<TermList | Crash> {
  const outcome = await session.call(args);
  if (outcome.kind === 'failed') return { crash: outcome.message };
  const results: Term[] = [];
  let sizeBytes = 0;
  for await (const some of itemsOf(outcome.json, turns)) {
    if ('crash' in some) return some;
    for (const result of some) results.push(result);
    sizeBytes += termSizeBytes(some);
    if (sizeBytes > HELD_MAX_BYTES) return { crash: 'system_limit' };
  }
  return results;
}
