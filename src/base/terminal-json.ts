/**
 * JSON that may be shown on a terminal, whatever names are in it.
 *
 * `JSON.stringify` escapes the first 32 controls only. The others (DEL, and the ones from 0x80 on, one of
 * which begins a command to a terminal) and the marks that turn text around or do not show would have
 * an operator read what is not there. Such characters stand in strings only, where `\u` stands for them.
 */

export function terminalJson(value: unknown, space?: number): string {
  const json = JSON.stringify(value, undefined, space) ?? 'null';
  return json.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (unseen) => {
    // Between lines; within strings it is escaped by now.
    if (unseen === '\n') return unseen;
    const units = Array.from({ length: unseen.length }, (_, index) => unseen.charCodeAt(index));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
  });
}
