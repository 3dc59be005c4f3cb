/**
 * Every setting in one table: for `vertebra config describe` and the documentation.
 */

import { Fault } from '../base/fault.ts';
import { CLUSTER_SCHEMA } from './cluster-schema.ts';
import { findNearestName } from './nearest-name.ts';
import type { SettingSchema } from './setting.ts';

export interface SettingDescription {
  /** `limits.body`, `nodes[].http_port`. */
  readonly key: string;
  readonly type: string;
  /** Bounds or choices; empty where anything of the type goes. */
  readonly range: string;
  /** As it would be written; empty where the setting must be given or has no default. */
  readonly default: string;
  readonly meaning: string;
}

/** In the order of the schema; groups are not settings and do not appear. */
export function describeSettings(): SettingDescription[] {
  return describeProperties(CLUSTER_SCHEMA, '');
}

/**
 * The settings that `key` names: one, or all of a group. Rejects with a `config` fault that says which
 * name was meant.
 */
export function describeSetting(key: string): SettingDescription[] {
  const settings = describeSettings();
  // As a file's own path has it: nodes[0].host, or without the brackets.
  const wanted = withoutBrackets(key);
  const found = settings.filter(({ key: each }) => {
    const name = withoutBrackets(each);
    return name === wanted || name.startsWith(`${wanted}.`);
  });
  if (found.length > 0) return found;
  const known = settings.map((setting) => setting.key);
  const last = known.filter((each) => each.split('.').at(-1) === key);
  const nearest = last.length > 0 ? last.join(' or ') : findNearestName(wanted, known);
  const meant = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  throw new Fault('config', `there is no setting ${key}${meant}`);
}

function withoutBrackets(key: string): string {
  return key.replaceAll(/\[[^\]]*\]/g, '');
}

function describeProperties(schema: SettingSchema, prefix: string): SettingDescription[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, setting]) => {
    const key = `${prefix}${name}`;
    // Bucket properties are Riak's own business, described with them.
    const isGroup = setting.properties !== undefined && setting.additionalProperties === false;
    if (isGroup) return describeProperties(setting, `${key}.`);
    if (setting.items?.properties !== undefined) {
      return describeProperties(setting.items, `${key}[].`);
    }
    return [describedAs(key, setting)];
  });
}

function describedAs(key: string, setting: SettingSchema): SettingDescription {
  return {
    key,
    type: typeOf(setting),
    range: rangeOf(setting),
    default: setting.default === undefined ? '' : shown(setting.default),
    meaning: setting.description ?? '',
  };
}

function typeOf(setting: SettingSchema): string {
  if (setting.measure !== undefined) return setting.measure.unit;
  if (setting.enum !== undefined) return 'choice';
  if (setting.anyOf !== undefined) return setting.anyOf.map(typeOf).join(' or ');
  if (setting.type === 'array') return 'list';
  if (setting.type === 'object') return 'properties';
  if (setting.type === 'number') return 'number';
  return setting.type === 'integer' ? 'count' : 'text';
}

function rangeOf(setting: SettingSchema): string {
  if (setting.measure !== undefined) {
    const { from, to, words = [] } = setting.measure;
    return [...words, `${from} to ${to}`].join(', ');
  }
  if (setting.enum !== undefined) return setting.enum.join(', ');
  if (setting.anyOf !== undefined) {
    return setting.anyOf.map(rangeOf).filter(Boolean).join(', ');
  }
  if (setting.type === 'integer' || setting.type === 'number') {
    return `${setting.minimum ?? ''} to ${setting.maximum ?? ''}`;
  }
  return '';
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value || "''" : JSON.stringify(value);
}
