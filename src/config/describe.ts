/**
 * Every setting in one table: for `vertebra config describe` and the documentation.
 */

import { CLUSTER_SCHEMA } from './cluster-schema.ts';
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

function describeProperties(schema: SettingSchema, prefix: string): SettingDescription[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, setting]) => {
    const key = `${prefix}${name}`;
    // Bucket properties are Riak's own business, described with them.
    const isGroup = setting.properties !== undefined && setting.additionalProperties === false;
    if (isGroup) return describeProperties(setting, `${key}.`);
    if (setting.items !== undefined) return describeProperties(setting.items, `${key}[].`);
    return [describeSetting(key, setting)];
  });
}

function describeSetting(key: string, setting: SettingSchema): SettingDescription {
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
  if (setting.type === 'object') return 'properties';
  return setting.type === 'integer' ? 'count' : 'text';
}

function rangeOf(setting: SettingSchema): string {
  if (setting.measure !== undefined) {
    const { from, to, words = [] } = setting.measure;
    return [...words, `${from} to ${to}`].join(', ');
  }
  if (setting.enum !== undefined) return setting.enum.join(', ');
  if (setting.type === 'integer') return `${setting.minimum ?? ''} to ${setting.maximum ?? ''}`;
  return '';
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value || "''" : JSON.stringify(value);
}
