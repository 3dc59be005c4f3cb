/**
 * Asks a cluster of this run something as an operator asks, over the admin socket of a member.
 */

import { askNode } from '../../src/admin/admin-client.ts';
import { adminSocketPath } from '../../src/admin/admin-socket.ts';
import type { DevCluster, DevNode } from '../../src/cli/dev-cluster.ts';

const ASK_TIMEOUT_MS = 30_000;

type Options = Readonly<Record<string, unknown>>;

export function ask({ dataFolder }: DevNode, verb: string, options: Options): Promise<unknown> {
  const request = { command: `cluster ${verb}`, arguments: options };
  return askNode(adminSocketPath(dataFolder), request, ASK_TIMEOUT_MS);
}

/** Of the first member but `except` that answers: one may just have been killed. */
export async function askMember(
  { nodes }: DevCluster,
  {
    verb,
    options = {},
    except,
  }: { readonly verb: string; readonly options?: Options; readonly except?: DevNode },
): Promise<unknown> {
  let last: unknown;
  for (const node of nodes) {
    if (node === except) continue;
    try {
      return await ask(node, verb, options);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}
