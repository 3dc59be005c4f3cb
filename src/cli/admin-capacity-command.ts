/**
 * `vertebra admin capacity`: what room the cluster has, how long it lasts, and whether it would do without
 * any one node. The asked node knows the members and sizes; what room each has, `/metrics` of each tells.
 */

import type { Command } from 'commander';
import type { Holdings, MemberShare } from '../node/capacity.ts';
import { judgeCapacity } from './capacity/capacity-judge.ts';
import { capacityText } from './capacity/capacity-text.ts';
import { figuresOf, type NodeFigures } from './capacity/node-figures.ts';
import { fetchText } from './fetch-text.ts';

interface Target {
  readonly json?: boolean;
}

type Query = (command: string) => Promise<unknown>;

export function addCapacityCommand(admin: Command, query: Query): void {
  admin
    .command('capacity')
    .description('what room the nodes have, when it is full, and whether one can be lost')
    .option('--check', 'exit with 1 if there is anything to see to')
    .action(async ({ check }: { check?: boolean }) => {
      const holdings = (await query('capacity')) as Holdings;
      const { node: asked } = (await query('status')) as { readonly node: string };
      const figures = await figuresOfAll(holdings.members, { asked, query });
      const report = judgeCapacity(holdings, figures);
      const isJson = admin.opts<Target>().json === true;
      console.log(isJson ? JSON.stringify(report, undefined, 2) : capacityText(report));
      if (check === true && report.warnings.length > 0) process.exitCode = 1;
    });
}

async function figuresOfAll(
  members: readonly MemberShare[],
  { asked, query }: { readonly asked: string; readonly query: Query },
): Promise<ReadonlyMap<string, NodeFigures>> {
  const texts = await Promise.all(
    members.map(async (member) => {
      const text = member.node === asked ? await query('metrics') : await fetchMetrics(member);
      return [member.node, text] as const;
    }),
  );
  return new Map(
    texts.flatMap(([node, text]) => (typeof text === 'string' ? [[node, figuresOf(text)]] : [])),
  );
}

/** Undefined: it does not answer. */
async function fetchMetrics(member: MemberShare): Promise<string | undefined> {
  try {
    return await fetchText(member, '/metrics');
  } catch {
    return undefined;
  }
}
