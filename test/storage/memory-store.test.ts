/**
 * The store in memory keeps what every store promises.
 */

import t from 'tap';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import { checkStoreCompliance } from './store-compliance.ts';

checkStoreCompliance(t, { open: () => Promise.resolve(new MemoryStore()) });
