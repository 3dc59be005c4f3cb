/**
 * The entry point of a worker process: takes orders over IPC, one after the other.
 */

import { growHeapFreely } from '../../src/cli/heap-growth.ts';
import { LoadProcess } from './load-process.ts';
import type { Order, Report } from './messages.ts';

growHeapFreely();
let load: LoadProcess | undefined;
let last: Promise<void> = Promise.resolve();
let isBusy = false;

function tell(report: Report): void {
  if (process.connected) process.send?.(report);
}

async function carryOut(order: Order): Promise<void> {
  isBusy = true;
  try {
    if (order.kind === 'prepare') load = await LoadProcess.prepare(order, tell);
    else await load?.carryOut(order);
    if (order.kind === 'stop') process.disconnect();
  } catch (error) {
    tell({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
  }
  isBusy = false;
}

process.on('message', (order: Order) => {
  // A loop that was interrupted may have hours to go.
  if (order.kind === 'stop' && isBusy) process.exit(0);
  last = last.then(() => carryOut(order));
});
// A parent that died needs no load any more.
process.on('disconnect', () => process.exit(0));
// The parent gets Ctrl-C too, and ends the run in order.
process.on('SIGINT', () => {});
