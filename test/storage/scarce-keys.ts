/** The keys of a store of several tables. */

const KEY_COUNT = 3_000;

export function keysOfTables(): Buffer[] {
  return Array.from({ length: KEY_COUNT }, (_, index) => {
    return Buffer.from(`key ${`${index}`.padStart(5, '0')}`);
  });
}
