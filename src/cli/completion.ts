/**
 * What may come next on a command line, by the tree of commands itself: so it cannot be out of date.
 *
 * Pure. A shell asks at each TAB (`completion-command.ts`). Where nothing is offered a file is meant, and the
 * shell knows files better.
 */

import type { Command, Option } from 'commander';

/** Values of an option by its long name: `--node`; undefined: not known here. */
type ValuesOf = (option: string, words: readonly string[]) => readonly string[] | undefined;

/** `words`: those after the program's name; the last is the one to be completed, and may be empty. */
export function completions(
  program: Command,
  words: readonly string[],
  valuesOf: ValuesOf = () => undefined,
): string[] {
  const current = words.at(-1) ?? '';
  const { command, awaiting } = walk(program, words.slice(0, -1));
  if (awaiting !== undefined) {
    const values = awaiting.argChoices ?? valuesOf(awaiting.long ?? '', words) ?? [];
    return startingWith(values, current);
  }
  if (current.startsWith('-')) {
    const options = optionsOf(command).flatMap(({ long, hidden }) => (hidden ? [] : (long ?? [])));
    return startingWith([...new Set([...options, '--help'])], current);
  }
  const below = command.createHelp().visibleCommands(command);
  const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  return startingWith([...below.map((each) => each.name()), ...choices], current);
}

interface Walked {
  readonly command: Command;
  /** The last word is an option whose value comes next. */
  readonly awaiting: Option | undefined;
}

function walk(program: Command, words: readonly string[]): Walked {
  let walked: Walked = { command: program, awaiting: undefined };
  for (const word of words) {
    const { command, awaiting } = walked;
    if (awaiting !== undefined) walked = { command, awaiting: undefined };
    else if (word.startsWith('-')) walked = { command, awaiting: valuedOption(command, word) };
    else {
      const next = command.commands.find((each) => each.name() === word) ?? command;
      walked = { command: next, awaiting: undefined };
    }
  }
  return walked;
}

function valuedOption(command: Command, word: string): Option | undefined {
  return optionsOf(command).find(
    (option) => (option.required || option.optional) && [option.long, option.short].includes(word),
  );
}

/** Its own, and those of the commands that it is below: they may stand after it. */
function optionsOf(command: Command): Option[] {
  const above = command.parent === null ? [] : optionsOf(command.parent);
  return [...command.options, ...above];
}

function startingWith(words: readonly string[], start: string): string[] {
  return words.filter((word) => word.startsWith(start));
}
