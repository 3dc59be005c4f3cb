/** Bugs in the value log and in what reads it. */

import type { Mutant } from './mutants.ts';

export const LOGGING: readonly Mutant[] = [
  {
    name: 'collecting brings back what was overwritten meanwhile',
    file: 'storage/log-collector',
    from: 'this.#untouched.has(bytesToByteString(key))',
    to: 'true',
    by: 'storage/value-log.test',
  },
  {
    name: 'a segment goes with what is on its way to it',
    file: 'storage/log-collector',
    from: 'await write([]);\n        const endBytes',
    to: 'const endBytes',
    by: 'storage/value-log.test',
  },
  {
    name: 'a segment goes while it is read',
    file: 'storage/log-collector',
    from: 'readers.whenLeft(() => void this.#remove(folder, segment));',
    to: 'void this.#remove(folder, segment);',
    by: 'replica/lives.test',
  },
  {
    name: 'bodies are not synced',
    file: 'storage/value-log',
    from: 'await this.#writer?.file.sync();',
    to: '',
    by: 'replica/lives.test',
  },
  {
    name: 'segments whose accounts cannot be read count as orphans',
    file: 'storage/log-recovery',
    from: 'if (areAccountsKnown)',
    to: 'if (true)',
    by: 'storage/value-log.test',
  },
  {
    name: 'a scan of keys keeps what is collected',
    file: 'storage/entry-reader',
    from: 'return keysOnly !== true && headsOnly !== true;',
    to: 'return true;',
    by: 'storage/value-log.test',
  },
];
