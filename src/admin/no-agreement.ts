/**
 * What an operator is told when the members have not agreed on a change in time: what is known of it,
 * and the cause that is easily overlooked.
 */

const NO_MAJORITY =
  'no majority of the members agreed in time (a new cluster begins to agree when all of its nodes have ' +
  'been up together)';

/** `mayTakeEffect`: the change was under way, and may be agreed on yet. */
export function noAgreementText({ mayTakeEffect }: { readonly mayTakeEffect: boolean }): string {
  return mayTakeEffect ? `${NO_MAJORITY}; the change may still take effect` : NO_MAJORITY;
}
