/**
 * The entry point: reads the command line and runs the command; see `cli/program.ts`.
 */

import { runProgram } from './cli/program.ts';

await runProgram(process.argv, import.meta.filename);
