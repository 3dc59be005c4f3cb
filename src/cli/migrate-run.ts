/**
 * Runs the commands of `vertebra migrate` between clusters: opens the ends, says what came of it.
 */

import { Fault } from '../base/fault.ts';
import type { ClusterEnd } from '../migrate/cluster-end.ts';
import { compare } from '../migrate/compare.ts';
import { copy } from '../migrate/copy.ts';
import { KeyFile } from '../migrate/key-file.ts';
import { Ledger } from '../migrate/ledger.ts';
import { plan } from '../migrate/plan.ts';
import type { CopyArguments, PlanArguments } from './migrate-command.ts';
import { loginOf } from './login-options.ts';
import type { LoginArgumentsOf } from './login-options.ts';
import { placesIn, print, openEnd, scopeIn } from './migrate-ends.ts';
import type { RequestArguments, ScopeArguments } from './migrate-ends.ts';
import { compareText, copyText, planText } from './migrate-text.ts';

export interface EndArguments
  extends RequestArguments, ScopeArguments, LoginArgumentsOf<'from' | 'to'> {
  readonly from: string;
  readonly to: string;
}

export interface RunArguments extends EndArguments {
  readonly rate?: number;
  readonly concurrency: number;
  readonly expect?: number;
  readonly keysTo?: string;
  readonly quiet?: boolean;
}

export async function runPlan(options: PlanArguments): Promise<void> {
  await withEnds({ ...options, concurrency: 1 }, async (ends) => {
    const found = await plan(ends, { scope: scopeIn(options), sets: options.set === true });
    print(options, found, planText);
    const isDone = found.items.every((item) => item.kind === 'bucket-differs' && item.isSet);
    if (!isDone) process.exitCode = 1;
  });
}

export async function runCopy(options: CopyArguments): Promise<void> {
  await withEnds(options, async (ends) => {
    const ledger = await Ledger.open({
      folder: options.ledger,
      from: placesIn(options.from),
      to: placesIn(options.to),
      isReverse: options.reverse === true,
    });
    const keyFile = await KeyFile.open(options.keysTo);
    try {
      const summary = await copy(
        { ...ends, ledger, keyFile },
        {
          ...runOptions(options),
          carriesDeletes: options.deletes === true,
          deletesMax: options.deletesMax,
          onConflict: options.onConflict,
          failuresMax: options.failuresMax,
        },
      );
      print(options, summary, copyText);
      if (!summary.isSettled) process.exitCode = 1;
    } finally {
      await keyFile.close();
      await ledger.close();
    }
  });
}

export async function runCompare(options: RunArguments): Promise<void> {
  await withEnds(options, async (ends) => {
    const keyFile = await KeyFile.open(options.keysTo);
    try {
      const summary = await compare({ ...ends, keyFile }, runOptions(options));
      print(options, summary, compareText);
      if (!summary.isSame) process.exitCode = 1;
    } finally {
      await keyFile.close();
    }
  });
}

function runOptions(options: RunArguments) {
  return {
    scope: scopeIn(options),
    concurrency: options.concurrency,
    rate: options.rate,
    expected: options.expect,
    isQuiet: options.quiet === true,
  };
}

async function withEnds(
  options: EndArguments & { readonly concurrency: number },
  work: (ends: { readonly source: ClusterEnd; readonly target: ClusterEnd }) => Promise<void>,
): Promise<void> {
  const shared = placesIn(options.from).find((place) => placesIn(options.to).includes(place));
  if (shared !== undefined) throw new Fault('config', `${shared} cannot be both ends`);
  const [from, to] = [loginOf(options, 'from'), loginOf(options, 'to')];
  const source = await openEnd({ word: 'from', nodes: options.from, login: from }, options);
  try {
    const target = await openEnd({ word: 'to', nodes: options.to, login: to }, options);
    try {
      await work({ source, target });
    } finally {
      target.close();
    }
  } finally {
    source.close();
  }
}
