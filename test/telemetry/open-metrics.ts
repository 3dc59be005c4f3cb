/**
 * A reader of OpenMetrics text for tests, strict where scrapers are: metadata before samples, a family
 * in one place, names and suffixes as its type has them, labels and numbers well formed, an end mark.
 *
 * Written after OpenMetrics 1.0, sections 3 to 5.
 */

export interface Family {
  type: string | undefined;
  help: string | undefined;
  readonly samples: Sample[];
}

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: ['_total'],
  gauge: [''],
  summary: ['', '_count', '_sum'],
};

const SAMPLE = /^([a-zA-Z_][a-zA-Z0-9_]*)(?:\{(.*)\})? (-?\d+(?:\.\d+)?(?:e[+-]\d+)?)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y;

/** Family name → family; throws with the line that is wrong. */
export function parseOpenMetrics(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  const lines = text.replace(/\n$/, '').split('\n');
  if (lines.pop() !== '# EOF') throw new Error('the end mark is missing');
  let current = '';
  for (const line of lines) {
    const metadata = /^# (HELP|TYPE) ([a-zA-Z_][a-zA-Z0-9_]*) (.+)$/.exec(line);
    if (metadata === null && line.startsWith('#')) throw new Error(`no comments: ${line}`);
    if (metadata === null) {
      addSample(line, current, { families, seen });
      continue;
    }
    const [, what, name = '', rest = ''] = metadata;
    if (name !== current && families.has(name)) throw new Error(`${name} is in two places`);
    current = name;
    const family = families.get(name) ?? { type: undefined, help: undefined, samples: [] };
    families.set(name, family);
    if (family.samples.length > 0) throw new Error(`metadata after samples: ${line}`);
    if (what === 'HELP') family.help = rest;
    else family.type = rest;
  }
  return families;
}

function addSample(
  line: string,
  current: string,
  { families, seen }: { readonly families: Map<string, Family>; readonly seen: Set<string> },
): void {
  const [, name = '', labelText = '', value = ''] = SAMPLE.exec(line) ?? [];
  const family = families.get(current);
  const suffixes = SUFFIXES[family?.type ?? ''] ?? [];
  if (family === undefined || !suffixes.some((suffix) => name === current + suffix)) {
    throw new Error(`no sample of ${current}, ${family?.type}: ${line}`);
  }
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < labelText.length) {
    const [, label = '', labelValue = ''] = LABEL.exec(labelText) ?? [];
    if (label === '') throw new Error(`labels cannot be read: ${line}`);
    labels[label] = labelValue;
  }
  const id = `${name} ${JSON.stringify(labels)}`;
  if (seen.has(id)) throw new Error(`twice: ${line}`);
  seen.add(id);
  family.samples.push({ name, labels, value: Number(value) });
}
