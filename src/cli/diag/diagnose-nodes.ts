/**
 * The diagnosis of one node or of several on this machine, one after the other: the disk of one is timed, and
 * another would be in its way.
 */

import type { NodeId } from '../../base/names.ts';
import type { ClusterConfig, NodeConfig } from '../../config/cluster-config.ts';
import { isOnThisMachine, withReasons } from '../all-nodes.ts';
import { textTable } from '../text-table.ts';
import { diagnose } from './diagnose.ts';
import { adviceLines, type Finding } from './finding.ts';

export interface NodeDiagnosis {
  readonly node: NodeId;
  readonly findings?: readonly Finding[];
  /** Why there are none. */
  readonly error?: string;
}

/** A single node is always looked at; of several, those on this machine. */
export async function diagnoseNodes(
  config: ClusterConfig,
  nodes: readonly NodeConfig[],
  query: (node: NodeConfig, command: string) => Promise<unknown>,
): Promise<NodeDiagnosis[]> {
  const diagnoses: NodeDiagnosis[] = [];
  for (const self of nodes) {
    const node = self.name;
    if (nodes.length > 1 && !isOnThisMachine(self)) {
      diagnoses.push({ node, error: 'its data folder is not on this machine: diagnose it there' });
      continue;
    }
    const findings = await diagnose({ config, self, query: (command) => query(self, command) });
    diagnoses.push({ node, findings });
  }
  return diagnoses;
}

/** What is not well, by node, and below it what to do, each advice once. */
export function diagnosesText(diagnoses: readonly NodeDiagnosis[]): string {
  const rows = diagnoses.flatMap(({ node, findings }) => {
    if (findings === undefined) return [[node, '-', 'no answer']];
    const troubles = findings.filter(({ verdict }) => verdict !== 'ok');
    if (troubles.length === 0) return [[node, 'ok', `all ${findings.length} checks`]];
    return troubles.map(({ verdict, check, found }) => [node, verdict, check, found]);
  });
  const advice = [...new Set(diagnoses.flatMap(({ findings }) => adviceLines(findings ?? [])))];
  const table = textTable(['node', '', 'check', 'found'], rows);
  return withReasons([table, ...(advice.length > 0 ? ['', ...advice] : [])].join('\n'), diagnoses);
}
