/**
 * A process for the backup tests: makes a backup of a store on a base, and when it is about to read
 * what it has taken over says so and stands still.
 */

import { writeSync } from 'node:fs';
import { openBackedUp, until } from './backed-up-store.ts';

const [store = '', folder = '', base = ''] = process.argv.slice(2);
const { backups } = await openBackedUp(store);
backups.create({ folder, bytesPerSecond: 50_000, base: { folder: base, isTrusted: false } });
await until(() => backups.status().progress?.step === 'base');
writeSync(1, 'begun\n');
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
