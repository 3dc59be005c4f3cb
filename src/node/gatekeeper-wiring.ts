/**
 * The gatekeeper of a node: by the agreed security, with an answer remembered for as long as that
 * stays as it is, and refusals reported to whoever wants to hear of them.
 */

import type { Host } from '../base/host.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import type { Gatekeeper } from '../security/gatekeeper.ts';
import { RememberingGatekeeper } from '../security/known-credentials.ts';
import type { PasswordHasher } from '../security/password-hasher.ts';
import { ReportingGatekeeper } from '../security/refusals.ts';
import { AgreedGatekeeper } from './agreed-gatekeeper.ts';
import type { NodeOptions } from './node-options.ts';

export function wireGatekeeper(
  host: Host,
  passwords: PasswordHasher,
  state: () => ClusterState,
  refused: NodeOptions['refused'],
): Gatekeeper {
  const gatekeeper = new RememberingGatekeeper(
    host,
    new AgreedGatekeeper(host.metrics, passwords, () => state().security),
    () => state().security,
  );
  return refused === undefined ? gatekeeper : new ReportingGatekeeper(gatekeeper, refused);
}
