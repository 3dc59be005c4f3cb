/**
 * The form of keys: what `keys.ts` makes, told from bytes that came there by damage.
 *
 * LevelDB compares no checksum of what it reads, so a bit that flipped in the end of a name gives a scan a key
 * that no encoder made, and the decoders stop the node over such a key. A key that is another one of the right
 * form is told by its value (`stored-value.ts`).
 */

const [OBJECT, INDEX, HINT] = [code('o'), code('i'), code('h')];
const [TOMB, TREE, MEMBER] = [code('d'), code('t'), code('s')];
const SPACE_SIZE = 1;
const U16_SIZE = 2;
const END = 0;
const NOT_ENDED = -1;

/** Whether the decoders of `keys.ts` can read it. */
export function isWellFormedKey(bytes: Buffer): boolean {
  switch (bytes[0] as number) {
    case OBJECT:
    case TOMB:
      return endOfNames(bytes, SPACE_SIZE + U16_SIZE, 2) !== NOT_ENDED;
    case MEMBER:
      return endOfNames(bytes, SPACE_SIZE + 2 * U16_SIZE, 2) !== NOT_ENDED;
    case INDEX:
      return endOfNames(bytes, SPACE_SIZE, 5) === bytes.length - U16_SIZE;
    case HINT: {
      const targetEnd = endOfNames(bytes, SPACE_SIZE, 1);
      return targetEnd !== NOT_ENDED && endOfNames(bytes, targetEnd + U16_SIZE, 2) !== NOT_ENDED;
    }
    case TREE:
      return bytes.length === SPACE_SIZE + 3 * U16_SIZE;
    default:
      return true;
  }
}

/** What is behind so many names that start at `offset`, each with its end. */
function endOfNames(bytes: Buffer, offset: number, count: number): number {
  let left = count;
  for (let index = offset; index < bytes.length; index += 1) {
    if (bytes[index] !== END) continue;
    left -= 1;
    if (left === 0) return index + 1;
  }
  return NOT_ENDED;
}

function code(space: string): number {
  return space.charCodeAt(0);
}
