import type { Snapshot } from './snapshot.ts';

/** A small cluster: three zones of two hosts, a web service spread over zones, a service on one zone, and a daemon. */
export function smallSnapshot(change: Partial<Snapshot> = {}): Snapshot {
  const instances = Array.from({ length: 6 }, (_, index) => ({
    id: `host-${index + 1}`,
    status: 'ACTIVE' as const,
    agentConnected: true,
    cpu: 2048,
    memory: 2048,
    attributes: { 'ecs.availability-zone': `zone-${(index % 3) + 1}`, disk: 'ssd' },
  }));
  const container = (image: string, checked: boolean): Snapshot['definitions'][number]['containers'][number] => ({
    name: 'app',
    image,
    essential: true,
    cpu: 128,
    memory: 128,
    dependsOn: [],
    ports: [{ containerPort: 80, hostPort: 0, protocol: 'tcp' }],
    ...(checked ? { healthCheck: { interval: 5, timeout: 2, retries: 2 } } : {}),
  });
  const service = { maximumPercent: 200, constraints: [], placement: [] };
  return {
    format: 'slipway cluster snapshot',
    version: 1,
    takenAt: '2026-01-01T00:00:00Z',
    cluster: 'shop',
    instances,
    definitions: [
      {
        name: 'web:7',
        networkMode: 'bridge',
        constraints: [],
        requires: [],
        containers: [container('shop.test:7500/web:prod', true)],
      },
      {
        name: 'api:1',
        networkMode: 'bridge',
        constraints: [],
        requires: [],
        containers: [container('docker.io/library/api:2', false)],
      },
      {
        name: 'log:3',
        networkMode: 'host',
        constraints: [],
        requires: [],
        containers: [{ ...container('log', false), ports: [] }],
      },
    ],
    services: [
      {
        ...service,
        name: 'web',
        definition: 'web:7',
        strategy: 'REPLICA',
        desiredCount: 6,
        minimumHealthyPercent: 50,
        circuitBreaker: { rollback: true },
        placement: [{ type: 'spread', field: 'attribute:ecs.availability-zone' }],
        follow: 'true',
      },
      {
        ...service,
        name: 'api',
        definition: 'api:1',
        strategy: 'REPLICA',
        desiredCount: 2,
        minimumHealthyPercent: 100,
      },
      {
        ...service,
        name: 'log',
        definition: 'log:3',
        strategy: 'DAEMON',
        desiredCount: 6,
        minimumHealthyPercent: 0,
        maximumPercent: 100,
      },
    ],
    tasks: [
      ...instances.map(({ id }) => ({ id: `web-${id}`, instance: id, definition: 'web:7', service: 'web' })),
      // Both on hosts of zone-1.
      { id: 'api-1', instance: 'host-1', definition: 'api:1', service: 'api' },
      { id: 'api-2', instance: 'host-4', definition: 'api:1', service: 'api' },
      ...instances.map(({ id }) => ({ id: `log-${id}`, instance: id, definition: 'log:3', service: 'log' })),
    ],
    ...change,
  };
}
