/**
 * The style is tested, not preached: who may import whom, what pure rooms may touch, how long a file
 * may be, and that each file says what it is for. The table below is the one in ARCHITECTURE.md.
 */

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import t from 'tap';

interface Room {
  readonly isPure: boolean;
  /** Rooms it may import from; closed: what is not named is forbidden. */
  readonly mayImport: readonly string[];
}

const ALL_PURE = [
  'base',
  'clock',
  'ring',
  'datatype',
  'security',
  'object',
  'membership',
  'storage',
  'peer',
  'replica',
  'coordinator',
  'repair',
  'query',
  'node',
  'mapreduce',
];

const SHELL = [
  'transport',
  'config',
  'telemetry',
  'script',
  'hooks',
  'backup',
  'audit',
  'api/http',
  'api/pbc',
  'admin',
  'client',
  'migrate',
  'replication',
  'dashboard',
  'dashboard/page',
  'cli',
];

const ROOMS: Readonly<Record<string, Room>> = {
  base: { isPure: true, mayImport: [] },
  clock: { isPure: true, mayImport: ['base'] },
  ring: { isPure: true, mayImport: ['base'] },
  datatype: { isPure: true, mayImport: ['clock', 'base'] },
  security: { isPure: true, mayImport: ['base'] },
  object: { isPure: true, mayImport: ['datatype', 'clock', 'base'] },
  membership: { isPure: true, mayImport: ['ring', 'object', 'security', 'clock', 'base'] },
  storage: { isPure: true, mayImport: ['object', 'clock', 'base'] },
  peer: { isPure: true, mayImport: ['object', 'membership', 'datatype', 'ring', 'clock', 'base'] },
  replica: {
    isPure: true,
    // `peer` for the shapes of coverage queries only.
    mayImport: ['storage', 'peer', 'object', 'datatype', 'clock', 'base'],
  },
  coordinator: {
    isPure: true,
    mayImport: ['peer', 'replica', 'ring', 'object', 'datatype', 'clock', 'base'],
  },
  repair: {
    isPure: true,
    mayImport: ['replica', 'peer', 'storage', 'ring', 'membership', 'object', 'base'],
  },
  mapreduce: { isPure: true, mayImport: ['object', 'security', 'clock', 'base'] },
  query: { isPure: true, mayImport: ['object', 'clock', 'base'] },
  node: { isPure: true, mayImport: ALL_PURE },
  transport: { isPure: false, mayImport: ['peer', 'object', 'membership', 'base'] },
  config: { isPure: false, mayImport: ['object', 'base'] },
  telemetry: { isPure: false, mayImport: ['base'] },
  // `coordinator` for the port only.
  hooks: { isPure: false, mayImport: ['coordinator', 'object', 'base'] },
  script: { isPure: false, mayImport: ['mapreduce', 'base'] },
  // `security` for what is refused only.
  audit: { isPure: false, mayImport: ['security', 'base'] },
  backup: { isPure: false, mayImport: ['repair', 'storage', 'base'] },
  'api/http': {
    isPure: false,
    mayImport: ['node', 'mapreduce', 'query', 'object', 'security', 'datatype', 'clock', 'base'],
  },
  'api/pbc': {
    isPure: false,
    mayImport: ['node', 'mapreduce', 'query', 'object', 'security', 'datatype', 'clock', 'base'],
  },
  admin: {
    isPure: false,
    mayImport: ['node', 'backup', 'audit', 'membership', 'ring', 'object', 'security', 'base'],
  },
  client: { isPure: false, mayImport: ['api/pbc', 'object', 'datatype', 'base'] },
  migrate: { isPure: false, mayImport: ['client', 'object', 'datatype', 'base'] },
  // `node` and `coordinator` for shapes only, `repair` for what ends work and bounds it.
  replication: {
    isPure: false,
    mayImport: ['client', 'api/pbc', 'node', 'coordinator', 'repair', 'object', 'clock', 'base'],
  },
  // `node` for the shapes of answers only.
  dashboard: { isPure: false, mayImport: ['dashboard/page', 'admin', 'node', 'telemetry'] },
  // What a browser runs: nothing of the node's own code can be there.
  'dashboard/page': { isPure: true, mayImport: [] },
  // `bench` is no room of src; its commands are loaded when they are run.
  cli: { isPure: false, mayImport: [...ALL_PURE, ...SHELL, 'bench'] },
};

/** The files of pure rooms that do real I/O, behind a port of their room or in a browser. */
const SHELL_FILES = new Set([
  'src/dashboard/page/page.ts',
  'src/storage/live-tables.ts',
  'src/storage/make-folders.ts',
  'src/storage/mend-leveldb.ts',
  'src/storage/salvage-tables.ts',
  'src/storage/open-leveldb.ts',
  'src/storage/segment-files.ts',
]);

const PURE_NODE_MODULES = new Set(['node:buffer', 'node:crypto', 'node:zlib']);

const BANNED_IN_PURE: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/\bsetTimeout\b|\bsetInterval\b|\bsetImmediate\b/, 'a timer'],
  [/\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b/, 'the real clock'],
  [/\bMath\.random\b|\brandomBytes\b|\brandomUUID\b/, 'real randomness'],
  [/\bprocess\.(?!nextTick\b)\w+/, 'the process'],
  [/\bconsole\.\w+/, 'the console'],
];

const root = resolve(import.meta.dirname, '../..');

function filesBelow(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

function roomOf(file: string): string | undefined {
  const parts = file.split('/');
  if (parts[0] === 'bench') return 'bench';
  if (parts[0] !== 'src' || parts.length < 3) return undefined;
  if (parts[1] === 'dashboard' && parts[2] === 'page') return 'dashboard/page';
  return parts[1] === 'api' ? `api/${parts[2]}` : parts[1];
}

function importsOf(source: string): string[] {
  return [...source.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '');
}

/** The source without comments and string literals, so that prose is not mistaken for code. */
function codeOf(source: string): string {
  return source
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '$1')
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''");
}

const sources = filesBelow('src').map((file) => ({
  file,
  text: readFileSync(join(root, file), 'utf8'),
}));

t.test('a room imports only from the rooms it may', (t) => {
  const wrong: string[] = [];
  for (const { file, text } of sources) {
    const room = roomOf(file);
    if (room === undefined) continue;
    const rules = ROOMS[room];
    if (rules === undefined) {
      wrong.push(`${file}: ${room} is not a room of the house`);
      continue;
    }
    for (const specifier of importsOf(text)) {
      if (!specifier.startsWith('.')) continue;
      const target = relative(root, resolve(root, dirname(file), specifier))
        .split(sep)
        .join('/');
      const targetRoom = roomOf(target);
      if (targetRoom === room) continue;
      if (targetRoom === undefined || !rules.mayImport.includes(targetRoom)) {
        wrong.push(`${file} imports ${specifier}`);
      }
    }
  }
  t.same(wrong, []);
  t.end();
});

t.test('pure rooms touch the world only through ports', (t) => {
  const wrong: string[] = [];
  for (const { file, text } of sources) {
    const room = roomOf(file);
    if (room === undefined || !ROOMS[room]?.isPure || SHELL_FILES.has(file)) continue;
    for (const specifier of importsOf(text)) {
      if (specifier.startsWith('node:') && !PURE_NODE_MODULES.has(specifier)) {
        wrong.push(`${file} imports ${specifier}`);
      }
    }
    const code = codeOf(text);
    for (const [pattern, what] of BANNED_IN_PURE) {
      const found = pattern.exec(code);
      if (found !== null) wrong.push(`${file} uses ${what}: ${found[0]}`);
    }
  }
  t.same(wrong, []);
  t.end();
});

t.test('every file says what it is for and stays readable', (t) => {
  const wrong: string[] = [];
  for (const file of [...filesBelow('src'), ...filesBelow('test'), ...filesBelow('bench')]) {
    const text = readFileSync(join(root, file), 'utf8');
    const lines = text.split('\n');
    if (lines.length > 501) wrong.push(`${file} has ${lines.length - 1} lines`);
    if (!/^(#!.*\n)?\/\*\*[\s\S]*?\*\//.test(text)) wrong.push(`${file} has no module comment`);
    const long = lines.findIndex((line) => line.length > 120);
    if (long >= 0) wrong.push(`${file}:${long + 1} is longer than 120 columns`);
  }
  t.same(wrong, []);
  t.end();
});

t.test('nothing is left over and no test is skipped or alone', (t) => {
  // The words are bracketed so that this file does not find itself.
  const leftOver = /[T]ODO|[F]IXME|[X]XX\b|\.[o]nly\(|t\.[s]kip\(/;
  const wrong: string[] = [];
  for (const file of [...filesBelow('src'), ...filesBelow('test'), ...filesBelow('bench')]) {
    const found = leftOver.exec(readFileSync(join(root, file), 'utf8'));
    if (found !== null) wrong.push(`${file}: ${found[0]}`);
  }
  t.same(wrong, []);
  t.end();
});

t.test('files are named in kebab-case and there are no barrels', (t) => {
  const wrong = sources
    .map(({ file }) => file)
    .filter((file) => !/^[a-z0-9/-]+\.ts$/.test(file) || file.endsWith('/index.ts'));
  t.same(wrong, []);
  t.end();
});

t.test('npm ci finds in the lock what other platforms need', (t) => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<
      Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>
    >;
  };
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) => {
      const nested = path === '' ? '' : `${path}/`;
      return !(`node_modules/${name}` in packages || `${nested}node_modules/${name}` in packages);
    }),
  );
  t.same(missing, []);
  t.end();
});
