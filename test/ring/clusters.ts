/** Clusters for the ring's tests: members, locations and rings made of them. */

import fc from 'fast-check';
import type { NodeId } from '../../src/base/names.ts';
import { claim, type ClaimMember } from '../../src/ring/claim.ts';
import { Ring } from '../../src/ring/ring.ts';

/** `count` members n00, n01, …; spread over `locationCount` locations in turn, or without any. */
export function membersOf(count: number, locationCount = 0): ClaimMember[] {
  return Array.from({ length: count }, (_, index) => ({
    id: nodeOf(index),
    location: locationCount === 0 ? '' : `rack${index % locationCount}`,
  }));
}

export function nodeOf(index: number): NodeId {
  return `n${String(index).padStart(2, '0')}` as NodeId;
}

export function ringOf(members: readonly ClaimMember[], ringSize: number): Ring {
  const { ownerByPartition } = claim({ members, ringSize });
  return ringFromOwners(members, ownerByPartition);
}

export function ringFromOwners(members: readonly ClaimMember[], owners: readonly NodeId[]): Ring {
  return new Ring({
    ringSize: owners.length,
    members,
    ownerByPartition: owners.map((owner) => members.findIndex(({ id }) => id === owner)),
  });
}

export const ringSizes: fc.Arbitrary<number> = fc.constantFrom(8, 16, 32, 64, 128, 256);
