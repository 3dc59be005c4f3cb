/**
 * What a request needs: permissions, each on something. The tables of the two client APIs give these,
 * and the gatekeeper judges them; a request may be served when none of them is denied.
 */

import type { Client, Gatekeeper } from './gatekeeper.ts';
import type { Permission, Target } from './permission.ts';

export interface Need {
  readonly permission: Permission;
  /** Undefined: everything. */
  readonly target: Target | undefined;
}

/** What must be granted, or the sentence with which a request is refused whoever sends it. */
export type Demand = readonly Need[] | { readonly refusal: string };

/** Links lead to buckets that nothing was asked for; Riak's words. */
export const LINKS_REFUSED: Demand = {
  refusal: 'Link walking is deprecated in Riak 2.0 and is not compatible with security.',
};

/** Why not; of several needs the first that is denied says so. Undefined: the request may be served. */
export function findDenial(
  gatekeeper: Gatekeeper,
  client: Client,
  demand: Demand,
): string | undefined {
  if ('refusal' in demand) return demand.refusal;
  for (const { permission, target } of demand) {
    const denial = gatekeeper.denial(client, permission, target);
    if (denial !== undefined) return denial;
  }
  return undefined;
}
