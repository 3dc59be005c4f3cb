/**
 * Why a query is not run: what is wrong with it, and at which stage of reading it that was found.
 */

export type QueryStage =
  /** The document as a whole; its refusals stand alone. */
  | 'request'
  | 'init'
  | 'aggregation_expression'
  | 'accumulation_option'
  | 'accumulation_term'
  | 'max_results'
  | 'query_evaluation'
  | 'apply_continuation';

export interface QueryRefusal {
  readonly stage: QueryStage;
  readonly reason: string;
}

export function refusal(stage: QueryStage, reason: string): QueryRefusal {
  return { stage, reason };
}

/** The refusal in one sentence, worded as OpenRiak does. */
export function describeRefusal({ stage, reason }: QueryRefusal): string {
  return stage === 'request' ? reason : `Validation failure at stage ${stage} due to ${reason}`;
}
