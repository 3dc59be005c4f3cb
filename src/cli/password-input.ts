/**
 * Passwords from standard input: asked for at a terminal, which does not show them, or line by line
 * from whatever is piped in.
 */

import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { Fault } from '../base/fault.ts';

/** Rejects with `config` where the terminal is left instead. */
export function askPassword(whose: string): Promise<string> {
  process.stderr.write(`${whose}: `);
  const nowhere = new Writable({ write: (_piece, _encoding, done) => done() });
  // As a terminal it echoes to `output`, and the terminal itself is told not to.
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  return new Promise((resolve, reject) => {
    terminal.once('line', (line) => {
      resolve(line);
      terminal.close();
    });
    terminal.once('close', () => {
      process.stderr.write('\n');
      reject(new Fault('config', `no ${whose} was given`));
    });
  });
}

let lines: AsyncIterator<string> | undefined;

/** Several logins take a line each, one login after the other. */
export async function nextInputLine(whose: string): Promise<string> {
  lines ??= createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  process.stdin.resume();
  const { value, done } = await lines.next();
  // Input that is left open must not keep the command from ending.
  process.stdin.pause();
  if (done === true) throw new Fault('config', `standard input has no line with the ${whose}`);
  return value;
}
