/**
 * Reading jobs, from JSON and from Erlang terms: what is taken, and what is said of the rest.
 */

import fc from 'fast-check';
import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { encodeTerm } from '../../src/mapreduce/external-term.ts';
import type { JobInputs } from '../../src/mapreduce/job.ts';
import { parseJsonJob } from '../../src/mapreduce/job-from-json.ts';
import { parseTermJob } from '../../src/mapreduce/job-from-term.ts';
import { atom, tuple } from '../../src/mapreduce/term.ts';
import { erlangPhase, jsonJob } from './job-world.ts';
import type { Term } from '../../src/mapreduce/term.ts';

const COUNT = erlangPhase('reduce', 'reduce_count_inputs');

const refusal = (job: unknown): unknown =>
  parseJsonJob(Buffer.from(JSON.stringify(job)), { hasScripts: false });

function passesOnlyX(inputs: JobInputs): boolean {
  const filter = inputs.kind === 'bucket' ? inputs.filter : undefined;
  if (filter === undefined) throw new Error('the job has a filter');
  return filter.passes(utf8ToByteString('x')) && !filter.passes(utf8ToByteString('y'));
}

t.test('all forms of inputs are read', (t) => {
  const inputs = (form: unknown) => jsonJob(form, [COUNT]).inputs;
  t.match(inputs('b'), { kind: 'bucket', type: 'default', bucket: 'b', filter: undefined });
  t.match(inputs(['t', 'b']), { kind: 'bucket', type: 't', bucket: 'b' });
  t.match(inputs([['b', 'k']]), { kind: 'addresses' });
  t.match(inputs({ bucket: ['t', 'b'], index: 'F_INT', key: 7 }), {
    kind: 'index',
    type: 't',
    field: 'f_int',
    from: '7',
    to: '7',
  });
  t.match(inputs({ bucket: 'b', index: 'n_int', start: '-01', end: 5 }), { from: '-1', to: '5' });
  t.match(inputs({ bucket: 'b', index: '$key', start: 'a', end: 'b' }), { from: 'a', to: 'b' });
  t.ok(passesOnlyX(inputs({ bucket: 'b', key_filters: [['eq', 'x']] })));
  t.end();
});

t.test('names are the UTF-8 of their text', (t) => {
  t.match(jsonJob('é', []).inputs, { bucket: '\xc3\xa9' });
  t.end();
});

t.test('only the last phase is kept, unless they say otherwise', (t) => {
  const keeps = jsonJob('b', [COUNT, { link: { keep: true } }, COUNT]).phases;
  t.same(
    keeps.map(({ isKept }) => isKept),
    [false, true, true],
  );
  t.end();
});

t.test('a time-out that is no number, or no time, is passed over', (t) => {
  t.equal(jsonJob('b', [], { timeout: 0 }).timeoutMs, 60_000);
  t.equal(jsonJob('b', [], { timeout: -1 }).timeoutMs, 60_000);
  t.equal(jsonJob('b', [], { timeout: 'soon' }).timeoutMs, 60_000);
  t.equal(jsonJob('b', [], { timeout: 5 }).timeoutMs, 5);
  t.equal(jsonJob('b', [], { timeout: 1e300 }).timeoutMs, 2 ** 31 - 1);
  t.end();
});

t.test('the ends of an index range are sorted', (t) => {
  const range = (index: string, start: unknown, end: unknown): unknown =>
    jsonJob({ bucket: 'b', index, start, end }, []).inputs;
  t.match(range('f_bin', 'y', 'x'), { kind: 'index', from: 'x', to: 'y' });
  t.match(range('f_int', 10, 9), { from: '9', to: '10' });
  t.end();
});

t.test('what is wrong with inputs is told as Riak tells it', (t) => {
  const wrong = (inputs: unknown) => refusal({ inputs, query: [] });
  const text = /^\["Unrecognized format of \\"inputs\\" field:/;
  for (const inputs of [5, null, true, {}, [5], [['b']], [['b', 5]], [['b', 'k', 1, 2]]]) {
    t.match(wrong(inputs), { refusal: 'bad-field', field: 'inputs', term: text });
  }
  t.match(wrong([]), { field: 'inputs', term: '"No inputs were given.\\n"' });
  t.match(wrong({ bucket: 'b', index: 'f', key: 'x' }), {
    term: '[{unknown_field_type,<<"f">>}]',
  });
  t.match(wrong({ bucket: 'b', index: 'f_int', key: 'x' }), {
    term: '[{field_parsing_failed,{<<"f_int">>,<<"x">>}}]',
  });
  const failed = (value: string): string => `{field_parsing_failed,{<<"f_int">>,<<"${value}">>}}`;
  t.match(wrong({ bucket: 'b', index: 'f_int', start: 'y', end: 'x' }), {
    term: `[${failed('x')},${failed('y')}]`,
  });
  t.match(wrong({ bucket: 'b', key_filters: [['f']] }), {
    refusal: 'bad-source',
    term: '{error,{bad_filter,<<"f">>}}',
  });
  t.match(wrong({ bucket: 'b', key_filters: [] }), { refusal: 'bad-field', term: text });
  t.match(wrong({ module: 'os', function: 'cmd' }), { refusal: 'bad-field', term: text });
  t.match(wrong({ module: 'os', function: 'cmd', arg: 'ls' }), { refusal: 'bad-source' });
  t.match(wrong({ bucket: 'b', query: 'name:x' }), {
    refusal: 'bad-source',
    term: '{error,"search not enabled"}',
  });
  t.end();
});

t.test('what is wrong with a phase is told as Riak tells it', (t) => {
  const wrong = (phase: unknown) => refusal({ inputs: 'b', query: [phase] });
  const unrecognized = { field: 'query', term: /^\["Unrecognized format of query phase:/ };
  t.match(wrong({ nophase: {} }), unrecognized);
  const told = (phase: unknown, text: string): void => {
    const { field, term = '' } = wrong(phase) as { field?: string; term?: string };
    t.equal(field, 'query');
    t.equal(term.slice(2, text.length + 2), text);
  };
  told({ map: {} }, 'No \\"language\\" was specified for the phase:');
  told({ map: { language: 'cobol' } }, 'Unknown language \\"cobol\\" in phase:');
  told({ map: { language: 'erlang' } }, 'No function specified in Erlang phase:');
  told({ map: { language: 'erlang', module: 'm' } }, 'No function specified in Erlang phase:');
  const both = { language: 'erlang', module: 'm', function: 'f', source: 's' };
  told({ map: both }, 'No function specified in Erlang phase:');
  told({ map: { language: 'javascript' } }, 'No function specified in Javascript phase:');
  const keyless = { language: 'javascript', bucket: 'b' };
  told({ reduce: keyless }, 'Javascript phase was missing a \\"key\\" field');
  told({ link: { tag: 5 } }, 'Invalid link step specification:');
  told({ link: { keep: 'yes' } }, 'The \\"keep\\" field was not a boolean value in:');
  t.match(wrong({ map: {}, reduce: {} }), unrecognized);
  t.match(wrong([]), unrecognized);
  t.match(refusal({ inputs: 'b', query: {} }), {
    field: 'query',
    term: /^\["The value of the \\"query\\" field was not a list:/,
  });
  t.match(wrong(erlangPhase('map', 'nothing')), {
    refusal: 'bad-phase',
    phase: 0,
    reason: 'PhaseSpec specifies riak_kv_mapreduce:nothing/3, which is not exported',
  });
  t.match(wrong(erlangPhase('reduce', 'map_identity')), {
    reason: 'arg specifies riak_kv_mapreduce:map_identity/2, which is not exported',
  });
  t.match(wrong(erlangPhase('reduce', 'cmd', { module: 'os' })), {
    reason: /^invalid module named in arg function:\n must be .*\(failed to load os: nofile\)$/,
  });
  t.match(wrong(erlangPhase('map', 'cmd', { module: 'os' })), {
    reason:
      /^invalid module named in PhaseSpec function:\n must be .*\(failed to load os: nofile\)$/,
  });
  t.match(wrong({ reduce: { language: 'javascript', name: 'Riak.reduceSum' } }), {
    reason: /^The PhaseSpec part of the argument for riak_kv_w_reduce must be/,
  });
  t.end();
});

t.test('a body that is no job is refused before it costs anything', (t) => {
  const parse = (text: string) => parseJsonJob(Buffer.from(text, 'latin1'), { hasScripts: false });
  t.match(parse('{'), { refusal: 'invalid-json' });
  t.match(parse('"\xff"'), { refusal: 'invalid-json' });
  t.match(parse('['.repeat(100_000)), { refusal: 'invalid-json', reason: 'too_deep' });
  t.match(parse(`"${' '.repeat(9 * 1024 * 1024)}"`), { reason: 'too_large' });
  t.match(parse('[]'), { refusal: 'not-object' });
  t.match(parse('{"inputs":"b"}'), { refusal: 'missing-field' });
  t.match(refusal({ inputs: 'b', query: Array.from({ length: 1000 }, () => COUNT) }), {
    field: 'query',
  });
  t.end();
});

const text = (value: string): Buffer => Buffer.from(value);

function termJob(inputs: Term, query: Term): unknown {
  const job = [tuple(atom('inputs'), inputs), tuple(atom('query'), query)];
  return parseTermJob(encodeTerm(job) as Buffer, { hasScripts: false });
}

const step = (...items: Term[]): Term => [tuple(...items)];
const modfun = (name: string): Term => tuple(atom('modfun'), atom('riak_kv_mapreduce'), atom(name));

t.test('all forms of inputs are read from terms', (t) => {
  const inputs = (form: Term) => (termJob(form, []) as { inputs: unknown }).inputs;
  t.match(inputs(text('b')), { kind: 'bucket', type: 'default', bucket: 'b' });
  t.match(inputs(tuple(text('t'), text('b'))), { kind: 'bucket', type: 't', bucket: 'b' });
  const filters = [[text('eq'), text('x')]];
  t.ok(passesOnlyX(inputs(tuple(text('b'), filters)) as JobInputs));
  t.match(inputs([tuple(text('b'), text('k'))]), { kind: 'addresses' });
  t.match(inputs(tuple(atom('index'), text('b'), text('n_int'), 3n)), { from: '3', to: '3' });
  t.match(inputs(tuple(atom('index'), text('b'), text('n_int'), 3n, 4n)), { from: '3', to: '4' });
  t.end();
});

t.test('steps are read from terms, and others refused', (t) => {
  t.match(termJob(text('b'), step(atom('link'), atom('_'), text('t'), atom('true'))), {
    phases: [{ kind: 'link', bucket: undefined, tag: 't', isKept: true }],
  });
  const map = step(atom('map'), modfun('map_identity'), atom('none'), atom('false'));
  t.match(termJob(text('b'), map), { phases: [{ kind: 'map', isKept: false }] });
  const list = /^\{"Query takes a list of step tuples",/;
  t.match(termJob(text('b'), 1n), { field: 'query', term: list });
  t.match(termJob(text('b'), step(atom('map'))), { field: 'query', term: list });
  const anonymous = tuple(atom('jsanon'), text('f'));
  t.match(termJob(text('b'), step(atom('map'), anonymous, atom('none'), atom('true'))), {
    refusal: 'bad-phase',
    phase: 0,
  });
  t.match(termJob(5n, []), { field: 'inputs', term: /^\{"Inputs must be a binary bucket/ });
  t.match(parseTermJob(Buffer.from('x'), { hasScripts: false }), { refusal: 'no-term' });
  t.end();
});

t.test('inputs that are none are refused in the words that client libraries compare', (t) => {
  const bucketText =
    'Inputs must be a binary bucket, a tuple of bucket and key-filters, ' +
    'a list of target tuples, or a search, index, or modfun tuple:';
  t.match(termJob(atom('undefined'), []), {
    field: 'inputs',
    term: `{"${bucketText}",\n         undefined}`,
  });
  const good = tuple(text('b'), text('k'));
  t.match(termJob([good, text('b'), good], []), {
    field: 'inputs',
    term: /^\{"Inputs target tuples must be \{B,K\} or \{\{B,K\},KeyData\}:",\s+\[<<"b">>,\{/,
  });
  t.match(termJob([text('b')], []), {
    field: 'inputs',
    term: '{"Inputs target tuples must be {B,K} or {{B,K},KeyData}:",[<<"b">>]}',
  });
  t.end();
});

t.test('no job can make a reader throw', (t) => {
  const piece = fc.oneof(
    fc.json(),
    fc.constantFrom('"b"', '[["b","k"]]', JSON.stringify([COUNT]), '[{"link":{}}]'),
  );
  fc.assert(
    fc.property(piece, piece, (inputs, query) => {
      parseJsonJob(Buffer.from(`{"inputs":${inputs},"query":${query}}`), { hasScripts: false });
    }),
    { numRuns: 500 },
  );
  t.end();
});
