/** What a shell is offered at TAB, by the commands that there are, and by bash itself. */

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { completions } from '../../src/cli/completion.ts';
import { createProgram } from '../../src/cli/program.ts';
import { ENTRY_POINT } from '../cluster/local-cluster.ts';

const program = createProgram('unused');

function offered(line: string): string[] {
  return completions(program, line.split(' '), (option) =>
    option === '--node' ? ['a@h', 'b@h'] : undefined,
  );
}

t.test('commands, their commands, and options of both are offered', (t) => {
  t.ok(['start', 'dev', 'admin', 'config'].every((name) => offered('').includes(name)));
  t.notOk(offered('').includes('complete'), 'it is for shells');
  t.same(offered('adm'), ['admin']);
  t.same(offered('admin cluster pl'), ['plan']);
  t.same(offered('admin --config x.yml cluster pl'), ['plan'], 'a value is no command');
  t.same(offered('admin log set --sub'), ['--subsystem']);
  t.ok(offered('admin log set --').includes('--node'), 'those of `admin` may come late');
  t.same(offered('completion '), ['bash', 'zsh', 'fish']);
  t.end();
});

t.test('an option waits for its value, and files are left to the shell', (t) => {
  t.same(offered('start --node b'), ['b@h']);
  t.same(offered('start --config '), []);
  t.ok(offered('admin --json sta').includes('status'), 'a switch waits for nothing');
  t.same(offered('nosuch command '), offered(''), 'what is unknown is passed over');
  t.end();
});

t.test('bash completes by asking, in the middle of a name too', (t) => {
  const folder = t.testdir({
    'cluster.yml': 'cluster: c\nnodes: [{ name: dev1@127.0.0.1, data_dir: d }]\n',
  });
  const script = join(folder, 'script.bash');
  const asked = (line: string, words: readonly string[]): string => `
    COMP_LINE=${JSON.stringify(line)} COMP_POINT=${line.length}
    COMP_WORDS=(${words.map((word) => JSON.stringify(word)).join(' ')}) COMP_CWORD=${words.length - 1}
    _vertebra; echo "\${COMPREPLY[*]}"`;
  writeFileSync(
    script,
    `vertebra() { ${process.execPath} ${ENTRY_POINT} "$@"; }
    source <(vertebra completion bash)
    complete -p vertebra
    ${asked('vertebra admin cluster co', ['vertebra', 'admin', 'cluster', 'co'])}
    ${asked('vertebra admin --node dev1@1', ['vertebra', 'admin', '--node', 'dev1', '@', '1'])}`,
  );
  const printed = execFileSync('bash', [script], { cwd: folder, encoding: 'utf8' });
  const expected = ['commit', '127.0.0.1'];
  t.match(printed, 'complete -o bashdefault -o default -F _vertebra vertebra');
  t.same(printed.trimEnd().split('\n').slice(1), expected);
  t.end();
});
