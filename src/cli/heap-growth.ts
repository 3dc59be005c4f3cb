/**
 * How far V8 lets the heap of a process grow before it marks all of it.
 *
 * Left alone, V8 picks 1.1 to 4 times what is alive by how fast its collector seems, which on a busy machine is
 * slow; and it counts the bytes of buffers, of which a large value is nothing but: it then marked the
 * whole heap for every few hundred reads (`bench/NOTES.md`). So it is set to V8's own maximum, of four.
 */

import { setFlagsFromString } from 'node:v8';

const HEAP_GROWTH_FLAG = '--heap-growing-percent=300';

/** For this process; to be called before it has done much. */
export function growHeapFreely(): void {
  setFlagsFromString(HEAP_GROWTH_FLAG);
}
