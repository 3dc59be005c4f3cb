/**
 * Job switches: expensive work that an operator has switched off (`cluster.job.riak_kv.*`).
 */

import { jobRefusalText } from '../../object/job-class.ts';
import { textAnswer } from './answer.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { JobClass } from '../../object/job-class.ts';

/** The refusal, in Riak's words, if this class of work is switched off. */
export function refuseJob(exchange: Exchange, job: JobClass): Answer | undefined {
  return exchange.context.options.disabledJobs.has(job)
    ? textAnswer(403, jobRefusalText(job))
    : undefined;
}
