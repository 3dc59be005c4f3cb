/**
 * The entry point: reads the command line and runs the command; see `cli/program.ts`.
 */

import { runProgram } from './cli/program.ts';

// Work goes on where nobody reads any more, as behind `| head`; the exit code says what came of it.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

await runProgram(process.argv, import.meta.filename);
