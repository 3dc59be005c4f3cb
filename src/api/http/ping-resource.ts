/**
 * `/ping`: whether this server answers. Open to every page, as it says nothing.
 */

import type { Answer } from './answer.ts';
import type { Resource } from './resource.ts';

export class PingResource implements Resource {
  readonly methods = ['GET', 'HEAD'];
  readonly isOpenToOtherSites = true;

  act(): Answer {
    return { status: 200, headers: ['Content-Type', 'text/html'], body: 'OK' };
  }
}
