/**
 * Room for a request at the node: a get, put or delete that has been read waits at the node's entrance.
 */

import type { ClientWork } from '../../node/admission.ts';
import type { Exchange } from './exchange.ts';

/** `gone`: the client, while it waited. */
export type Room = 'admitted' | 'refused' | 'gone';

/** After `admitted` the entrance's `exit` must follow. */
export function findRoom(exchange: Exchange): Room | Promise<Room> {
  const { service, turns } = exchange.context;
  if (exchange.isOverdue) {
    return service.entrance.enterLate(workOf(exchange.method)) ? 'admitted' : 'refused';
  }
  let settle: (room: Room) => void = () => {};
  const place = service.entrance.enter(workOf(exchange.method), {
    admit: () => settle('admitted'),
    refuse: () => settle('refused'),
  });
  if (place === undefined) return 'admitted';
  turns.wait();
  return new Promise((resolve) => {
    const leave = (): void => {
      place.leave();
      settle('gone');
    };
    settle = (room) => {
      exchange.response.off('close', leave);
      turns.waitEnded();
      resolve(room);
    };
    exchange.response.once('close', leave);
  });
}

function workOf(method: string): ClientWork {
  return method === 'GET' || method === 'HEAD' ? 'node_get_fsm' : 'node_put_fsm';
}
