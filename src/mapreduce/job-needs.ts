/**
 * What a client must be allowed to do before its job is run, which depends on where the inputs come
 * from: `riak_kv.mapreduce` on each of their buckets, and what it takes to name the keys in some
 * other way. Where a phase takes its function from an object, that object may be read by the client.
 */

import { parseAddress } from './address.ts';
import { LINKS_REFUSED } from '../security/needs.ts';
import type { Gatekeeper } from '../security/gatekeeper.ts';
import type { Demand, Need } from '../security/needs.ts';
import type { Permission } from '../security/permission.ts';
import type { BucketName } from './job-inputs.ts';
import type { MayMap } from './job-ports.ts';
import type { Job, JobInputs, Phase } from './job.ts';

const NAMED_BY: Readonly<Record<JobInputs['kind'], Permission>> = {
  addresses: 'riak_kv.get',
  bucket: 'riak_kv.list_keys',
  index: 'riak_kv.index',
};

export function demandOfJob({ inputs, phases }: Job): Demand {
  if (phases.some(({ kind }) => kind === 'link')) return LINKS_REFUSED;
  const named = NAMED_BY[inputs.kind];
  const buckets = bucketsOf(inputs);
  // A job over nothing still computes.
  const computing: Need = { permission: 'riak_kv.mapreduce', target: undefined };
  const needs =
    buckets.length === 0
      ? [computing]
      : buckets.flatMap((target): Need[] => [
          { permission: named, target },
          { permission: 'riak_kv.mapreduce', target },
        ]);
  return [...needs, ...phases.flatMap(sourceNeeds)];
}

/** Later phases reach no further than jobs of the user may; undefined: security is off. */
export function mayMapOf(
  gatekeeper: Gatekeeper,
  { user, address }: { readonly user: string | undefined; readonly address: string },
): MayMap | undefined {
  if (!gatekeeper.isEnabled()) return undefined;
  return (target) =>
    user !== undefined &&
    gatekeeper.denial({ user, address }, 'riak_kv.mapreduce', target) === undefined;
}

/** Each once. Inputs that are no addresses are not read, so they are of no bucket. */
function bucketsOf(inputs: JobInputs): readonly BucketName[] {
  if (inputs.kind !== 'addresses') return [{ type: inputs.type, bucket: inputs.bucket }];
  const buckets = new Map<string, BucketName>();
  for (const term of inputs.addresses) {
    const address = parseAddress(term);
    if (address === undefined) continue;
    const { type, bucket } = address.key;
    buckets.set(`${type.length}:${type}${bucket}`, { type, bucket });
  }
  return [...buckets.values()];
}

function sourceNeeds(phase: Phase): readonly Need[] {
  if (phase.kind !== 'script-map' && phase.kind !== 'script-reduce') return [];
  if (phase.source.kind !== 'stored') return [];
  const { type, bucket } = phase.source.key;
  return [{ permission: 'riak_kv.get', target: { type, bucket } }];
}
