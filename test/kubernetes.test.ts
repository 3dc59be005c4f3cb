/** The manifests for Kubernetes fit the program, the image and each other. No cluster is asked. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parseAllDocuments } from 'yaml';
import { judgeMemory } from '../src/cli/diag/machine-judge.ts';
import { documentToConfig } from '../src/config/cluster-config.ts';
import { parseClusterDocument } from '../src/config/config-file.ts';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const text = (file: string): string => readFileSync(`${PROJECT}${file}`, 'utf8');

interface Port {
  readonly name?: string;
  readonly port?: number;
  readonly containerPort?: number;
  readonly targetPort?: string;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data: Readonly<Record<string, string>>;
  // Of each kind another; what is read of it is compared.
  readonly spec: never;
}

const documents = parseAllDocuments(text('docs/deploy/kubernetes/vertebra.yaml'));
const manifests = documents.map((document) => document.toJS() as Manifest);

function manifest(kind: string, name = 'vertebra'): Manifest {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}

interface StatefulSet {
  readonly serviceName: string;
  readonly replicas: number;
  readonly podManagementPolicy: string;
  readonly selector: { readonly matchLabels: object };
  readonly template: {
    readonly metadata: {
      readonly labels: object;
      readonly annotations: Readonly<Record<string, string>>;
    };
    readonly spec: {
      readonly terminationGracePeriodSeconds: number;
      readonly containers: readonly Container[];
      readonly volumes: readonly { readonly name: string }[];
    };
  };
  readonly volumeClaimTemplates: readonly { readonly metadata: { readonly name: string } }[];
}

interface Container {
  readonly image: string;
  readonly args: readonly string[];
  readonly ports: readonly Port[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly resources: { readonly limits: { readonly memory: string } };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

const set: StatefulSet = manifest('StatefulSet').spec;
const pod = set.template.spec;
const [container] = pod.containers as [Container];
const clusterText = manifest('ConfigMap').data['cluster.yml'] ?? '';
const config = documentToConfig(parseClusterDocument('cluster.yml', clusterText), '/etc/vertebra');

t.test('the file is YAML of known kinds, each of its version', (t) => {
  t.same(
    documents.flatMap(({ errors }) => errors),
    [],
  );
  t.same(
    manifests.map(({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.name}`),
    [
      'v1 ConfigMap vertebra',
      'v1 Service vertebra',
      'v1 Service vertebra-clients',
      'policy/v1 PodDisruptionBudget vertebra',
      'networking.k8s.io/v1 NetworkPolicy vertebra',
      'apps/v1 StatefulSet vertebra',
    ],
  );
  t.end();
});

t.test(
  'each pod is a node of the configuration, and reached by the name that it has there',
  (t) => {
    const podNames = Array.from({ length: set.replicas }, (_, index) => `vertebra-${index}`);
    t.equal(set.podManagementPolicy, 'Parallel');
    t.same(
      config.nodes.map(({ name }) => name),
      podNames.map((name) => `${name}@${name}.${set.serviceName}`),
    );
    t.ok(config.nodes.every(({ host, name }) => host === name.split('@')[1]));
    const nodeOf = (name: string): string =>
      (container.args[1] ?? '').replaceAll('$(POD_NAME)', name);
    t.same(
      podNames.map(nodeOf),
      config.nodes.map(({ name }) => name),
    );
    const headless = manifest('Service', set.serviceName).spec;
    t.match(headless, { clusterIP: 'None', publishNotReadyAddresses: true });
    t.end();
  },
);

t.test('ports and probes are those that a node has', (t) => {
  const [node] = config.nodes;
  const ports = { http: node?.httpPort, pbc: node?.pbcPort, peer: node?.peerPort };
  t.same(
    Object.fromEntries(container.ports.map(({ name, containerPort }) => [name, containerPort])),
    ports,
  );
  const services = ['vertebra', 'vertebra-clients'].map((name) => manifest('Service', name).spec);
  for (const { ports: served } of services as { readonly ports: readonly Port[] }[]) {
    for (const { name, port, targetPort } of served) {
      t.equal(targetPort, name);
      t.equal(port, ports[name as keyof typeof ports], `${name}`);
    }
  }
  const routes = text('src/api/http/routes.ts');
  const { startupProbe, livenessProbe, readinessProbe } = container;
  const paths = [startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet);
  t.same(
    paths.map(({ path }) => path),
    ['/livez', '/livez', '/readyz'],
  );
  t.ok(paths.every(({ path, port }) => port === 'http' && routes.includes(`'${path.slice(1)}'`)));
  t.match(set.template.metadata.annotations, {
    'prometheus.io/port': `${ports.http}`,
    'prometheus.io/path': '/metrics',
  });
  t.match(manifest('NetworkPolicy').spec, {
    ingress: [{ ports: [{ port: ports.peer }] }, { ports: [{ port: ports.http }, {}] }],
  });
  t.end();
});

t.test('everything selects the pods, and one of them at most is taken away', (t) => {
  const { labels } = set.template.metadata;
  t.same(set.selector.matchLabels, labels);
  t.same((manifest('Service').spec as { readonly selector: object }).selector, labels);
  t.match(manifest('Service', 'vertebra-clients').spec, { selector: labels });
  t.match(manifest('NetworkPolicy').spec, { podSelector: { matchLabels: labels } });
  t.match(manifest('PodDisruptionBudget').spec, {
    maxUnavailable: 1,
    selector: { matchLabels: labels },
  });
  t.end();
});

t.test(
  'data are on the volume, the file is where the image looks, and there is time to stop',
  (t) => {
    const mountPath = (name: string): string =>
      container.volumeMounts.find((mount) => mount.name === name)?.mountPath ?? '';
    t.same(
      [
        ...pod.volumes.map(({ name }) => name),
        ...set.volumeClaimTemplates.map((c) => c.metadata.name),
      ].sort(),
      container.volumeMounts.map(({ name }) => name).sort(),
    );
    t.ok(config.nodes.every(({ dataDir }) => dataDir.startsWith(`${mountPath('data')}/`)));
    const image = text('docs/deploy/Dockerfile');
    t.ok(image.includes(`"--config", "${mountPath('config')}/cluster.yml"`));
    t.ok(image.includes(`VOLUME ${mountPath('data')}`));
    const { version } = JSON.parse(text('package.json')) as { readonly version: string };
    t.equal(container.image, `vertebra:${version}`);

    const { drainMs, shutdownMs } = config.timeouts;
    t.ok(drainMs > 0 && pod.terminationGracePeriodSeconds * 1_000 > drainMs + shutdownMs);
    const [, gibibytes] = /^(\d+)Gi$/.exec(container.resources.limits.memory) ?? [];
    const groupLimitBytes = Number(gibibytes) * 1024 ** 3;
    const memory = judgeMemory({ meminfo: 'MemTotal: 99999999 kB\n', groupLimitBytes }, config);
    t.equal(memory.verdict, 'ok', memory.found);
    t.end();
  },
);
