/**
 * Checking a document against its schema, with errors that an operator can act on.
 *
 * Each problem is one sentence that names the field by its path and, where the text is YAML, its
 * line; an unknown key is told its nearest known name. Absent settings get their defaults here and
 * nowhere else.
 */

import { Ajv } from 'ajv';
import type { ErrorObject, ValidateFunction } from 'ajv';
import { findNearestName } from './nearest-name.ts';
import type { Measure, SettingSchema } from './setting.ts';
import { parseDurationMs, parseSizeBytes } from './units.ts';

export interface Problem {
  /** Keys and indexes from the top of the document to the field. */
  readonly path: readonly (string | number)[];
  /** Whether the name itself is wrong, and not what it holds. */
  readonly isAboutKey: boolean;
  /** Without path and line. */
  readonly sentence: string;
}

const UNIT_EXAMPLES = { duration: '500ms, 60s or 1h30m', size: '64KiB or 50MiB' } as const;

/** Problems at most in one report. */
const PROBLEMS_MAX = 50;

/**
 * Fills in the defaults of `document`, in place, and names what is wrong with it. A document with
 * problems must not be used.
 */
export function checkDocument(document: unknown, schema: SettingSchema): Problem[] {
  const validate = validatorOf(schema);
  if (validate(document)) return [];
  const errors = validate.errors ?? [];
  // Each branch of an `anyOf` reports what it wants; the sentence for the whole is enough.
  const chosen = errors.filter((error) => !error.schemaPath.includes('/anyOf/'));
  return chosen.slice(0, PROBLEMS_MAX).map(errorToProblem);
}

/** Compiling a schema takes longer than checking most documents. */
const VALIDATORS = new WeakMap<SettingSchema, ValidateFunction>();

function validatorOf(schema: SettingSchema): ValidateFunction {
  const known = VALIDATORS.get(schema);
  if (known !== undefined) return known;
  const ajv = new Ajv({
    allErrors: true,
    useDefaults: true,
    verbose: true,
    strict: true,
    // Every start and every command waits for this, for one document: a test checks the schemas.
    validateSchema: false,
    code: { optimize: false },
  });
  ajv.addKeyword({
    keyword: 'measure',
    type: 'string',
    schemaType: 'object',
    validate: isWithinMeasure,
    errors: false,
  });
  const validate = ajv.compile(schema);
  VALIDATORS.set(schema, validate);
  return validate;
}

/** `nodes[0].http_port`. */
export function pathToText(path: readonly (string | number)[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

function isWithinMeasure(measure: Measure, value: string): boolean {
  if (measure.words?.includes(value) === true) return true;
  const parse = measure.unit === 'duration' ? parseDurationMs : parseSizeBytes;
  const parsed = parse(value);
  if (parsed === undefined) return false;
  return parsed >= (parse(measure.from) ?? 0) && parsed <= (parse(measure.to) ?? 0);
}

function errorToProblem(error: ErrorObject): Problem {
  const path = pointerToPath(error.instancePath);
  const parent = error.parentSchema as SettingSchema;
  const params = error.params as Readonly<Record<string, unknown>>;
  if (error.keyword === 'additionalProperties') {
    const name = String(params['additionalProperty']);
    return { path: [...path, name], isAboutKey: true, sentence: unknownKey(name, parent) };
  }
  if (error.keyword === 'required') {
    const name = String(params['missingProperty']);
    return { path: [...path, name], isAboutKey: false, sentence: 'must be given' };
  }
  const got = `not ${shown(error.data)}`;
  return { path, isAboutKey: false, sentence: `must be ${wanted(error, parent)}, ${got}` };
}

function wanted(error: ErrorObject, schema: SettingSchema): string {
  if (schema.measure !== undefined) return wantedMeasure(schema.measure);
  switch (error.keyword) {
    case 'enum':
      return `one of ${(schema.enum ?? []).join(', ')}`;
    case 'anyOf':
      return (schema.anyOf ?? []).map(wantedShape).join(', or ');
    case 'pattern':
      return `of the form ${schema.title ?? schema.pattern ?? ''}`;
    case 'minItems':
      return 'a list that is not empty';
    case 'maxItems':
      return `a list of at most ${schema.maxItems ?? 0}`;
    default:
      return wantedShape(schema);
  }
}

function wantedMeasure(measure: Measure): string {
  const range = `from ${measure.from} to ${measure.to}`;
  const words = measure.words === undefined ? '' : `${measure.words.join(', ')}, or `;
  return `${words}a ${measure.unit} ${range} with its unit, such as ${UNIT_EXAMPLES[measure.unit]}`;
}

function wantedShape(schema: SettingSchema): string {
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`;
  if (schema.type === 'boolean') return 'true or false';
  if (schema.type === 'array') return 'a list';
  if (schema.type === 'object') return 'a group of settings';
  const { minimum = 0, maximum = 'any', minLength = 0, maxLength = 'any' } = schema;
  if (schema.type === 'integer') return `a whole number from ${minimum} to ${maximum}`;
  if (schema.type === 'number') return `a number from ${minimum} to ${maximum}`;
  return `text of ${minLength} to ${maxLength} characters`;
}

function unknownKey(name: string, schema: SettingSchema): string {
  const known = Object.keys(schema.properties ?? {});
  const nearest = findNearestName(name, known);
  const hint =
    nearest === undefined ? `known here: ${known.join(', ')}` : `did you mean ${nearest}?`;
  return `is not a known setting; ${hint}`;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'a group';
  return JSON.stringify(value)?.slice(0, 100) ?? 'nothing';
}

/** A JSON pointer's steps; digits are list indexes, for no setting's name is a number. */
function pointerToPath(pointer: string): (string | number)[] {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step));
}
