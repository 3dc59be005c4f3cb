/**
 * Bucket types by an operator: create, activate, update, list, status.
 *
 * Riak's own words come back (`riak admin bucket-type …`), so that scripts keep working.
 */

import { byteStringToUtf8, utf8ToByteString, type ByteString } from '../base/bytes.ts';
import type { NodeService, PropertiesOutcome } from '../node/node-service.ts';
import type { PartialProperties } from '../object/bucket-properties.ts';
import { AdminRefusal, type AdminCommand } from './admin-server.ts';
import { noAgreementText } from './no-agreement.ts';

type Options = Readonly<Record<string, unknown>>;

export function bucketTypeCommands(node: NodeService): Map<string, AdminCommand> {
  return new Map<string, AdminCommand>([
    ['bucket-type create', (options) => create(node, options)],
    ['bucket-type activate', (options) => activate(node, options)],
    ['bucket-type update', (options) => update(node, options)],
    ['bucket-type ensure', (options) => ensure(node, options)],
    ['bucket-type status', async (options) => status(node, options)],
    ['bucket-type list', async () => list(node)],
  ]);
}

async function create(node: NodeService, options: Options): Promise<string> {
  const type = typeNameOf(options);
  const outcome = await node.createBucketType(type, propertiesOf(options));
  refuseUnlessChanged(outcome, `Error creating bucket type ${byteStringToUtf8(type)}:`);
  return `${byteStringToUtf8(type)} created`;
}

async function activate(node: NodeService, options: Options): Promise<string> {
  const type = typeNameOf(options);
  const outcome = await node.activateBucketType(type);
  if (outcome.kind === 'unknown-bucket-type') {
    throw new AdminRefusal(`${byteStringToUtf8(type)} is not an existing bucket type`);
  }
  refuseUnlessChanged(outcome, `Error activating bucket type ${byteStringToUtf8(type)}:`);
  return `${byteStringToUtf8(type)} has been activated`;
}

async function update(node: NodeService, options: Options): Promise<string> {
  const type = typeNameOf(options);
  const outcome = await node.setBucketTypeProperties(type, propertiesOf(options));
  refuseUnlessChanged(outcome, `Error updating bucket type ${byteStringToUtf8(type)}:`);
  return `${byteStringToUtf8(type)} updated`;
}

/** Creates and activates what is not there yet; what is there stays as it is. */
async function ensure(node: NodeService, options: Options): Promise<string> {
  const type = typeNameOf(options);
  const known = node.bucketTypes().find(({ name }) => name === type);
  if (known?.isActive === true) return `${byteStringToUtf8(type)} is active`;
  if (known === undefined) {
    const created = await node.createBucketType(type, propertiesOf(options));
    if (created.kind !== 'exists') {
      refuseUnlessChanged(created, `Error creating bucket type ${byteStringToUtf8(type)}:`);
    }
  }
  return activate(node, options);
}

function status(node: NodeService, options: Options): string {
  const type = typeNameOf(options);
  const found = node.bucketTypes().find(({ name }) => name === type);
  const shown = byteStringToUtf8(type);
  if (found === undefined) throw new AdminRefusal(`${shown} is not an existing bucket type`);
  const heading = found.isActive
    ? `${shown} is active`
    : `${shown} has been created and may be activated`;
  const lines = Object.entries(found.properties)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  return [heading, '', ...lines].join('\n');
}

function list(node: NodeService): string {
  const lines = node
    .bucketTypes()
    .map(({ name, isActive }) => `${byteStringToUtf8(name)} (${isActive ? '' : 'not '}active)`);
  return lines.join('\n');
}

function typeNameOf(options: Options): ByteString {
  const { type } = options;
  if (typeof type !== 'string' || type === '') throw new AdminRefusal('a bucket type is needed');
  return utf8ToByteString(type);
}

function propertiesOf(options: Options): PartialProperties {
  const { properties } = options;
  if (properties === undefined) return {};
  if (typeof properties !== 'object' || properties === null || Array.isArray(properties)) {
    throw new AdminRefusal('no props field found in json');
  }
  return properties;
}

function refuseUnlessChanged(outcome: PropertiesOutcome, heading: string): void {
  if (outcome.kind === 'changed') return;
  throw new AdminRefusal(`${heading}\n${reasonOf(outcome)}`);
}

function reasonOf(outcome: Exclude<PropertiesOutcome, { kind: 'changed' }>): string {
  switch (outcome.kind) {
    case 'refused':
      return outcome.refusals.map(({ property, reason }) => `${property}: ${reason}`).join('\n');
    case 'exists':
      return 'already_active';
    case 'unknown-bucket-type':
      return 'not an existing bucket type';
    case 'no-default-update':
      return 'the default type is changed in cluster.yml';
    case 'timeout':
      return noAgreementText({ mayTakeEffect: false });
  }
}
