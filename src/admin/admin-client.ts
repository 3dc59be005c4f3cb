/**
 * The other end of the admin socket: one command, one answer.
 */

import { createConnection } from 'node:net';
import { userInfo } from 'node:os';
import { AdminRefusal, type AdminReply } from './admin-server.ts';

export interface AdminRequest {
  readonly command: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** The command's result; rejects with `AdminRefusal` for what the node says or if none answers. */
export function askNode(
  socketPath: string,
  request: AdminRequest,
  timeoutMs: number,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath);
    let received = '';
    socket.setEncoding('utf8');
    socket.setTimeout(timeoutMs, () => {
      socket.destroy(new AdminRefusal(`no answer from the node within ${timeoutMs} ms`));
    });
    socket.once('connect', () => {
      socket.write(`${JSON.stringify({ ...request, operator: operatorName() })}\n`);
    });
    socket.on('data', (text: string) => {
      received += text;
    });
    socket.once('error', (error) => {
      reject(
        error instanceof AdminRefusal
          ? error
          : new AdminRefusal(`the node is not running (${socketPath}: ${error.message})`),
      );
    });
    socket.once('end', () => {
      let reply: AdminReply;
      try {
        reply = JSON.parse(received) as AdminReply;
      } catch {
        reject(new AdminRefusal('the node closed the connection without an answer'));
        return;
      }
      if (reply.ok) resolve(reply.result);
      else reject(new AdminRefusal(reply.error));
    });
  });
}

/** For the node's records. */
function operatorName(): string {
  const login = process.env['SUDO_USER'];
  return login === undefined ? userName() : `${userName()} (sudo by ${login})`;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // In a container a user may have no name.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
