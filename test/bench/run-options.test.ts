/** What the command line asks for is judged before anything is started. */

import t from 'tap';
import { overridden, processesFor } from '../../bench/run-command.ts';
import { parseWorkload } from '../../bench/workload/workload.ts';
import { findWorkload } from '../../bench/workload/find-workload.ts';
import { runProgram } from '../../src/cli/program.ts';
import type { RunArguments } from '../../bench/run-command.ts';

const OPTIONS: RunArguments = {
  basePort: 24_000,
  scale: 1,
  seed: 1,
  timeout: '10s',
  load: true,
  verify: true,
  verifyKeys: 1,
  patience: '30s',
  repeat: 1,
};

t.test('times and rates that nothing can be done with are refused', (t) => {
  const refused: readonly (readonly [options: Partial<RunArguments>, message: RegExp])[] = [
    [{ duration: '0s' }, /--duration 0s: must be from 1ms to 30d/],
    [{ duration: '31d' }, /--duration 31d: must be from 1ms to 30d/],
    [{ timeout: '0s' }, /--timeout 0s: must be from 1ms to 1h/],
    [{ timeout: 'soon' }, /--timeout soon is no duration/],
    [{ patience: '2d' }, /--patience 2d: must be from 0s to 1d/],
    [{ steady: '31d' }, /--steady 31d: must be from 0s to 1d/],
    [{ rate: '0/s' }, /--rate 0\/s: must be above 0/],
    [{ rate: '0.0%' }, /--rate 0.0%: must be above 0/],
  ];
  for (const [options, message] of refused) {
    const judge = () => overridden(findWorkload('get-1k'), { ...OPTIONS, ...options });
    t.throws(judge, { code: 'config', message }, JSON.stringify(options));
  }
  t.end();
});

t.test('a share of a rate that will not be known is refused before the load', (t) => {
  const message = /a rate of 60% needs a closed loop before it/;
  // The other loops of it are at 60 % of what is then not measured.
  const judge = () => overridden(findWorkload('node-loss'), { ...OPTIONS, rate: '200/s' });
  t.throws(judge, { code: 'config', message });
  t.ok(overridden(findWorkload('passive'), { ...OPTIONS, rate: '60%' }), 'one is put before it');
  const text = `
workload: shares
buckets: { b: { bucket: b } }
keys: { k: { kind: shared, bucket: b, count: 1 } }
operations: { get: { op: get, keys: k } }
measure:
  - { loop: open, rate: 60%, duration: 1s }
`;
  t.throws(() => parseWorkload('shares.yml', text), {
    code: 'config',
    message: /shares.yml, line 7: measure\[0\]\.rate needs a closed loop before it/,
  });
  t.end();
});

t.test('no process is without a client, whose share of an open loop would never start', (t) => {
  const few = overridden(findWorkload('node-loss'), { ...OPTIONS, clients: 2 });
  t.equal(processesFor(few, 4), 2);
  t.equal(processesFor(few, 1), 1);
  const mixed = findWorkload('tail');
  t.equal(processesFor(mixed, 100), 64, 'the least of all its loops');
  t.equal(processesFor(mixed, undefined) >= 1, true);
  t.end();
});

t.test('a fault that would come after its phase is refused', (t) => {
  const judge = () => overridden(findWorkload('node-loss'), { ...OPTIONS, duration: '5s' });
  t.throws(judge, { code: 'config', message: /a fault 5 s into a phase of 5 s would never come/ });
  t.ok(overridden(findWorkload('node-loss'), { ...OPTIONS, duration: '6s' }));
  const text = `
workload: late
buckets: { b: { bucket: b } }
keys: { k: { kind: shared, bucket: b, count: 1 } }
values: { v: { kind: uniform, from: 1KiB, to: 2KiB } }
operations: { get: { op: get, keys: k } }
fault: { loop: closed, duration: 2s, events: [{ at: 1s }, { at: 2s }] }
`;
  t.throws(() => parseWorkload('late.yml', text), {
    code: 'config',
    message: /late.yml, line 7: fault\.events\[1\]\.at is not before the end of the phase/,
  });
  const early = text.replace('at: 2s', 'at: 1s');
  t.ok(parseWorkload('late.yml', early));
  t.throws(() => parseWorkload('late.yml', early.replace('to: 2KiB', 'to: 1B')), {
    code: 'config',
    message: /late.yml, line 5: values\.v\.to must not be less than from/,
  });
  t.end();
});

t.test('counts of nothing are no counts', async (t) => {
  const { exitCode } = process;
  for (const option of ['--start', '--clients', '--processes', '--repeat']) {
    const said = t.capture(process.stderr, 'write', () => true);
    const command = ['node', 'vertebra', 'bench', 'run', 'get-1k', '--target', 'null', option, '0'];
    await runProgram(command, '');
    t.equal(process.exitCode, 2, option);
    t.match(said()[0]?.args[0], new RegExp(`${option} .*must be a whole number above 0`));
    process.exitCode = exitCode;
  }
});
