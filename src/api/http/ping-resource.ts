/**
 * `/ping`: whether this server answers. Open to every page, as it says nothing.
 */

import type { Answer } from './answer.ts';
import type { Offer, Resource } from './resource.ts';

const OFFER: Offer = { mediaTypes: ['text/html'], encodings: ['identity'] };

export class PingResource implements Resource {
  readonly route = 'ping';
  readonly methods = ['GET', 'HEAD'];
  readonly isOpenToOtherSites = true;

  offer(): Offer {
    return OFFER;
  }

  act(): Answer {
    return { status: 200, headers: ['Content-Type', 'text/html'], body: 'OK' };
  }
}
