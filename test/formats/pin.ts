/**
 * Writes the next set of pinned bytes: `node build/test/formats/pin.js`. Its `README.md` says when.
 */

import { writeFileSync } from 'node:fs';
import { FORMATS } from './formats.ts';
import { PINNED_FOLDER, pinnedSets, shown, type Pin, type PinnedSet } from './pinned.ts';

const pins: PinnedSet = Object.fromEntries(
  FORMATS.map(({ name, samples, encode, decode }) => [
    name,
    samples().map(({ kind, value }): Pin => {
      const bytes = encode(value as never);
      return { kind, bytes: bytes.toString('hex'), value: shown(decode(bytes)) };
    }),
  ]),
);
const number = (pinnedSets().at(-1)?.number ?? 0) + 1;
const path = new URL(`${number}.json`, PINNED_FOLDER);
// A line for each pin: what a later set has otherwise is seen.
const formats = Object.entries(pins).map(([name, list]) => {
  const lines = list.map((pin) => `  ${JSON.stringify(pin)}`);
  return ` ${JSON.stringify(name)}: [\n${lines.join(',\n')}\n ]`;
});
writeFileSync(path, `{\n${formats.join(',\n')}\n}\n`);
console.log(`${path.pathname} is the newest set now`);
