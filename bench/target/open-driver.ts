/**
 * The driver of a target.
 */

import { engineDriver, nullDriver } from './local-session.ts';
import { httpDriver, withQueriesOver } from './http-session.ts';
import { pbDriver } from './pb-session.ts';
import type { Driver, DriverOptions } from './session.ts';
import type { Target } from './target.ts';

export async function openDriver(target: Target, options: DriverOptions): Promise<Driver> {
  switch (target.kind) {
    case 'pb': {
      const objects = pbDriver(target.nodes, options);
      if (target.httpNodes.length === 0) return objects;
      return withQueriesOver(objects, httpDriver(target.httpNodes, options));
    }
    case 'http':
    case 'https':
      return httpDriver(target.nodes, options);
    case 'null':
      return nullDriver();
    case 'engine':
      return engineDriver(target.folder);
  }
}
