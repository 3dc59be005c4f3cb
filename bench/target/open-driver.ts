/**
 * The driver of a target.
 */

import { engineDriver, nullDriver } from './local-session.ts';
import { httpDriver, withQueriesOver } from './http-session.ts';
import { pbDriver } from './pb-session.ts';
import type { Driver } from './session.ts';
import type { Target } from './target.ts';

export async function openDriver(target: Target, timeoutMs: number): Promise<Driver> {
  switch (target.kind) {
    case 'pb': {
      const objects = pbDriver(target.nodes, timeoutMs);
      if (target.httpNodes.length === 0) return objects;
      return withQueriesOver(objects, httpDriver(target.httpNodes, timeoutMs));
    }
    case 'http':
      return httpDriver(target.nodes, timeoutMs);
    case 'null':
      return nullDriver();
    case 'engine':
      return engineDriver(target.folder);
  }
}
