/**
 * What an operator is told when the members have not agreed on a change in time: what is known of it,
 * and the cause that is easily overlooked.
 */

const NO_MAJORITY =
  'no majority of the members agreed in time (a new cluster begins to agree when all of its nodes have ' +
  'been up together)';

/** `mayTakeEffect`: the change was under way, and may be agreed on yet. */
export function noAgreementText({
  mayTakeEffect,
  because,
}: {
  readonly mayTakeEffect: boolean;
  /** What this node failed of: overload, or its store. */
  readonly because?: string;
}): string {
  const cause = because === undefined ? NO_MAJORITY : `this node could not see to it (${because})`;
  return mayTakeEffect ? `${cause}; the change may still take effect` : cause;
}
