/** All of the room but what starts processes: most of what each file would cost is reading the servers. */

import './commands.ts';
import './compare.ts';
import './copy.ts';
import './datatypes.ts';
import './decide.ts';
import './faults.ts';
import './files.ts';
import './object-line.ts';
import './whole.ts';
