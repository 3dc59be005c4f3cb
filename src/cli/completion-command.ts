/**
 * `vertebra completion bash|zsh|fish`: a script that has the shell ask `vertebra complete` at each TAB.
 *
 * The scripts hold no names of commands; that is what the question is for. A question that fails is silent:
 * the operator is in the middle of a line.
 */

import { Argument, type Command } from 'commander';
import { readConfigFile } from '../config/config-file.ts';
import { completions } from './completion.ts';

/** Bash takes `@` and `:` for borders of words: what is offered begins after the last of them. */
const BASH = `# In ~/.bashrc: source <(vertebra completion bash)
_vertebra() {
  local line=\${COMP_LINE:0:COMP_POINT} current=\${COMP_WORDS[COMP_CWORD]} words IFS=$' \\t\\n'
  local word=\${line##*[[:space:]]}
  local before=\${word%"$current"}
  read -r -a words <<<"$line"
  [[ -z $word ]] && words+=('')
  COMPREPLY=($(vertebra complete -- "\${words[@]:1}" 2>/dev/null))
  COMPREPLY=("\${COMPREPLY[@]#"$before"}")
}
complete -o bashdefault -o default -F _vertebra vertebra
`;

const ZSH = `# In ~/.zshrc, after compinit: source <(vertebra completion zsh)
_vertebra() {
  local -a found
  found=("\${(@f)$(vertebra complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found[1]" ]]; then compadd -- "\${found[@]}"; else _files; fi
}
compdef _vertebra vertebra
`;

const FISH = `# In ~/.config/fish/completions/vertebra.fish
function __vertebra_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    vertebra complete -- $words[2..-1] "$current" 2>/dev/null
end
complete -c vertebra -a '(__vertebra_complete)'
`;

const SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH };

export function addCompletionCommands(program: Command): void {
  program
    .command('completion')
    .description('a script that completes commands and options at TAB')
    .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(SCRIPTS)))
    .action((shell: string) => {
      process.stdout.write(SCRIPTS[shell] ?? '');
    });
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .action((words: string[]) => {
      for (const word of completions(program, words, valuesOf)) console.log(word);
    });
}

/** Nodes are those of the file that the line names. */
function valuesOf(option: string, words: readonly string[]): readonly string[] | undefined {
  if (option !== '--node') return undefined;
  const at = words.indexOf('--config');
  const path = at === -1 ? 'cluster.yml' : (words[at + 1] ?? '');
  try {
    return readConfigFile(path).nodes.map(({ name }) => name);
  } catch {
    return undefined;
  }
}
