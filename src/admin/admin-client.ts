/**
 * The other end of the admin socket: one command, one answer.
 */

import { createConnection } from 'node:net';
import { userInfo } from 'node:os';
import { AdminRefusal, type AdminReply } from './admin-server.ts';
import { LOOKING_COMMANDS } from './audited-commands.ts';

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
    let isAsked = false;
    socket.setEncoding('utf8');
    socket.setTimeout(timeoutMs, () => {
      const silence = `no answer from the node within ${Math.ceil(timeoutMs)} ms`;
      const mayHappen = !LOOKING_COMMANDS.has(request.command);
      socket.destroy(
        new AdminRefusal(mayHappen ? `${silence}: it may do yet what it was asked` : silence),
      );
    });
    socket.once('connect', () => {
      isAsked = true;
      socket.write(`${JSON.stringify({ ...request, operator: operatorName() })}\n`);
    });
    socket.on('data', (text: string) => {
      received += text;
    });
    socket.once('error', (error) => {
      reject(
        error instanceof AdminRefusal
          ? error
          : new AdminRefusal(unansweredText(socketPath, { error, isAsked })),
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

/** A node that has been asked may have done it. */
function unansweredText(
  socketPath: string,
  { error, isAsked }: { readonly error: NodeJS.ErrnoException; readonly isAsked: boolean },
): string {
  const what = `${socketPath}: ${error.message}`;
  if (isAsked) return `the node went away before it had answered (${what})`;
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    return `only the user who runs the node may ask it (${what})`;
  }
  return `the node is not running (${what})`;
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
