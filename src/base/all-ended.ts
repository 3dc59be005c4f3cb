/**
 * Waiting for work side by side to its end: none of it is left behind when some of it fails.
 */

/** Resolves when all have ended; rejects then, if one has failed, with the first failure by their order. */
export async function allEnded(work: readonly Promise<void>[]): Promise<void> {
  for (const end of await Promise.allSettled(work)) if (end.status === 'rejected') throw end.reason;
}
