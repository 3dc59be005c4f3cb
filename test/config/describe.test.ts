/** Each setting has a meaning, and is described as it is checked. */

import { Ajv } from 'ajv';
import t from 'tap';
import { BUCKET_PROPERTIES_SCHEMA } from '../../src/config/bucket-property-schema.ts';
import { CLUSTER_SCHEMA } from '../../src/config/cluster-schema.ts';
import { describeSetting, describeSettings } from '../../src/config/describe.ts';

t.test('every setting is described by type, range, default and meaning', (t) => {
  const settings = describeSettings();
  t.same(
    settings.filter((setting) => setting.meaning === '').map((setting) => setting.key),
    [],
  );
  const byKey = new Map(settings.map((setting) => [setting.key, setting]));
  t.match(byKey.get('limits.body'), { type: 'size', range: '1KiB to 1GiB', default: '50MiB' });
  t.match(byKey.get('durability'), { type: 'choice', range: 'fsync, os', default: 'fsync' });
  t.match(byKey.get('delete_mode'), { type: 'duration', range: 'keep, immediate, 1ms to 365d' });
  t.match(byKey.get('nodes[].http_port'), { type: 'count', range: '1 to 65535', default: '8098' });
  t.match(byKey.get('tls.peer.ca_file'), { type: 'text', default: '' });
  t.match(byKey.get('replication.queues[].buckets'), {
    type: 'choice or list',
    range: 'any',
    default: 'any',
  });
  t.match(byKey.get('replication.sources[].nodes'), { type: 'list', default: '' });
  t.match(byKey.get('bucket_defaults'), { type: 'properties' });
  t.end();
});

t.test('one setting is found by its name, a group by its own, and a slip is named', (t) => {
  const keys = (name: string): string[] => describeSetting(name).map(({ key }) => key);
  t.same(keys('limits.body'), ['limits.body']);
  t.ok(keys('limits').includes('limits.siblings') && keys('limits').length > 3);
  for (const name of ['nodes.host', 'nodes[].host', 'nodes[0].host']) {
    t.same(keys(name), ['nodes[].host'], name);
  }
  t.same(keys('replication.queues[0].name'), ['replication.queues[].name']);
  t.throws(() => keys('limits.bodi'), { code: 'config', message: /did you mean limits\.body\?/ });
  t.throws(() => keys('verify'), { message: /did you mean tls\.peer\.verify\?/ });
  t.throws(() => keys('xyzzyxyzzy'), { message: 'there is no setting xyzzyxyzzy' });
  t.end();
});

t.test('the schemas are schemas', (t) => {
  const ajv = new Ajv();
  for (const schema of [CLUSTER_SCHEMA, BUCKET_PROPERTIES_SCHEMA]) {
    t.equal(ajv.validateSchema(schema), true, ajv.errorsText());
  }
  t.end();
});
