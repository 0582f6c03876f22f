import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import { readCompose } from './compose.ts';
import { refusedFields } from './compose-refused.ts';
import type { App } from './model.ts';
import { Problems } from './problems.ts';
import { readSlipwayFile } from './slipway-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-compose-file-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(source: string, variables: Record<string, string> = {}, reader = readCompose): App {
  const problems = new Problems('compose.yaml');
  const app = reader({ path: join(folder, 'compose.yaml'), source, variables, usualName: 'Shop App' }, problems);
  problems.refuse();
  return app;
}

test('a whole file: services that depend on each other are one task, others are services of their own', () => {
  writeFileSync(join(folder, 'web.env'), 'FROM_FILE=1\nLEVEL=info\n');
  const app = read(
    `
version: "3.8"
x-common: &common
  restart: unless-stopped
services:
  web:
    <<: *common
    build: { context: ./web, dockerfile: Dockerfile.prod, args: { V: 2 }, target: run }
    ports: ["8080:80"]
    env_file: web.env
    environment: [LEVEL=debug, TOKEN]
    command: serve --name "my shop" '$$x'
    depends_on:
      db: { condition: service_healthy, restart: true }
      migrate: { condition: service_completed_successfully }
    stop_grace_period: 1m30s
    deploy: { resources: { limits: { memory: 256M }, reservations: { cpus: "0.25", memory: 64m } } }
    x-slipway: { health_path: /up, secrets: { DB_PASSWORD: prod/db } }
  migrate:
    image: shop/migrate
    restart: "no"
    depends_on: [db]
  db:
    image: postgres:\${PG:-16}
    volumes: [data:/var/lib/postgresql/data]
    healthcheck: { test: pg_isready, interval: 10s, retries: 5, start_period: 1m }
  worker:
    image: worker
    scale: 3
    init: true
    cap_drop: [ALL]
    volumes:
      - { type: tmpfs, target: /tmp, tmpfs: { size: 64m } }
      - data:/data:ro
      - /cache
volumes:
  data:
`,
    { TOKEN: 't' },
  );
  expect(app.name).toBe('shop-app');
  expect(app.services.map(({ name }) => name)).toEqual(['shop-app-web', 'shop-app-worker']);
  const [web, worker] = app.services;
  expect(web).toMatchObject({
    healthPath: '/up',
    publish: [{ container: 'web', containerPort: 80, port: 8080 }],
    volumes: [{ name: 'shop-app_data', dockerVolumeConfiguration: { scope: 'shared', autoprovision: true } }],
  });
  expect(web).not.toHaveProperty('count');
  expect(web?.containers.map(({ source }) => source)).toEqual([
    {
      kind: 'build',
      context: join(folder, 'web'),
      dockerfile: 'Dockerfile.prod',
      target: 'run',
      arguments: { V: '2' },
      image: 'shop-app/web:latest',
    },
    { kind: 'image', image: 'shop/migrate' },
    { kind: 'image', image: 'postgres:16' },
  ]);
  expect(web?.containers.map(({ definition }) => definition)).toEqual([
    {
      name: 'web',
      essential: true,
      memory: 256,
      memoryReservation: 64,
      cpu: 256,
      command: ['serve', '--name', 'my shop', '$x'],
      environment: [
        { name: 'FROM_FILE', value: '1' },
        { name: 'LEVEL', value: 'debug' },
        { name: 'TOKEN', value: 't' },
      ],
      portMappings: [{ containerPort: 80, protocol: 'tcp' }],
      stopTimeout: 90,
      dependsOn: [
        { containerName: 'db', condition: 'HEALTHY' },
        { containerName: 'migrate', condition: 'SUCCESS' },
      ],
      links: ['db'],
    },
    {
      name: 'migrate',
      essential: false,
      memoryReservation: 128,
      dependsOn: [{ containerName: 'db', condition: 'START' }],
      links: ['db'],
    },
    {
      name: 'db',
      essential: true,
      memoryReservation: 128,
      healthCheck: { command: ['CMD-SHELL', 'pg_isready'], interval: 10, retries: 5, startPeriod: 60 },
      mountPoints: [{ sourceVolume: 'shop-app_data', containerPath: '/var/lib/postgresql/data' }],
    },
  ]);
  expect(web?.containers[0]?.secrets).toEqual({ DB_PASSWORD: 'prod/db' });
  expect(worker).toMatchObject({
    count: 3,
    publish: [],
    containers: [
      {
        definition: {
          linuxParameters: {
            capabilities: { drop: ['ALL'] },
            initProcessEnabled: true,
            tmpfs: [{ containerPath: '/tmp', size: 64 }],
          },
          mountPoints: [
            { sourceVolume: 'shop-app_data', containerPath: '/data', readOnly: true },
            { sourceVolume: 'worker-1', containerPath: '/cache' },
          ],
        },
      },
    ],
  });
});

const service = (...lines: string[]): string =>
  ['services:', '  web:', '    image: a', ...lines.map((line) => `    ${line}`)].join('\n');

describe('what is not mapped is refused with its line', () => {
  it.each(Object.keys(refusedFields))('%s of a service', (name) => {
    expect(() => read(service(`${name}: x`))).toThrow(`compose.yaml:4: services.web.${name}: ${refusedFields[name]}`);
  });

  it.each([
    ['services: {}', 'compose.yaml: has no services'],
    ['services: [', 'compose.yaml:1: '],
    ['services: { web: { image: a } }\nnetworks: { a: }', 'compose.yaml:2: networks: services that depend'],
    ['services: { web: { image: a } }\nsecrets: { a: }', 'slipway secrets set NAME'],
    ['services: { web: { image: a } }\nvolumes: { a: { driver: nfs } }', 'volumes.a.driver: is local'],
    ['services: { web: { } }', 'services.web: needs an image, or a build'],
    ['services: { web: { image: a, imge: b } }', 'services.web.imge: is no field of a service'],
    [service('image: b'), 'services.web.image: is there twice'],
    [service('ports: ["5432:5432"]'), "ports[0]: port 5432 is PostgreSQL's"],
    [service('ports: ["53:9053/udp"]'), 'no UDP'],
    [service('ports: ["1000-1010:80"]'), 'ranges of ports'],
    [service('ports: ["127.0.0.1:80:80"]'), 'write "80:80"'],
    [service('ports: ["80000:80"]'), 'from 1 to 65535, not 80000'],
    [service('ports: [{ target: 80, app_protocol: grpc }]'), 'take http, not grpc'],
    [service('volumes: [./src:/app]'), 'volumes[0]: ./src: files of this machine are not on the hosts'],
    [service('volumes: [/var/run/docker.sock:/s]'), 'files of this machine'],
    [service('volumes: [data:/app]'), 'there is no volume data'],
    [service('volumes: [{ type: npipe, target: /a }]'), 'type is volume or tmpfs'],
    [service('tmpfs: /run'), 'memory has an end'],
    [service('environment: { A: $B }'), 'environment.A: the variable B is not set'],
    [service('environment: { A: "${B:?is needed}" }'), 'the variable B is not set: is needed'],
    [service('environment: [A]'), 'the variable A has no value'],
    [service('env_file: none.env'), 'none.env cannot be read (ENOENT)'],
    [service('command: "a \'b"'), 'has a quote without an end'],
    [service('healthcheck: { test: a, interval: 1s }'), 'interval: is from 5s to 300s here, not 1s'],
    [service('healthcheck: { test: [a] }'), 'begins with CMD'],
    [service('healthcheck: { test: a, start_interval: 1s }'), 'start_interval: checks have one interval'],
    [service('stop_grace_period: soon'), "is a duration such as 30s or 1m30s, not 'soon'"],
    [service('mem_limit: 4'), '6 MiB at least'],
    [service('restart: on-failure'), 'write always or unless-stopped, not on-failure'],
    [service('scale: -1'), 'a whole number from 0 to 1000'],
    [service('deploy: { update_config: { order: start-first } }'), 'deploy.update_config: new tasks start before'],
    [service('deploy: { mode: global }'), 'services have replicas'],
    [service('depends_on: [db]'), 'depends_on[0]: there is no other service db'],
    [service('depends_on: { web: }'), 'there is no other service web'],
    [
      service('depends_on: { db: { condition: happy } }', '', '', '').replace(
        'services:',
        'services:\n  db: { image: b }',
      ),
      'is one of service_started',
    ],
    [service('build: https://example.com/a.git'), 'a folder of this machine'],
    [service('x-slipway: { port: 1 }'), 'x-slipway.port: is none of secrets, health_path'],
    ['services:\n  web: { image: a, depends_on: [db], scale: 2 }\n  db: { image: b }', 'give web, db the same count'],
    [
      'services:\n  a: { image: a, depends_on: [b] }\n  b: { image: b, depends_on: [a] }',
      'depends on itself, by way of others',
    ],
    ['services:\n  a: { image: a, depends_on: [b], cpus: 1 }\n  b: { image: b }', 'give a, b one each'],
    [
      'services:\n  a: { image: a, depends_on: [b], ports: [80] }\n  b: { image: b, ports: [81] }',
      'port 80 is published twice',
    ],
    ['services: &s\n  <<: *s', 'eight deep'],
  ])('%s', (source, words) => {
    expect(() => read(source)).toThrow(words);
  });

  it('all at once, by line', () => {
    const refused = service('networks: [a]', 'ports: ["x"]', 'container_name: b');
    expect(() => read(refused)).toThrow(/^3 things in compose.yaml.*\n.*:4: .*\n.*:5: .*\n.*:6: /);
  });
});

test('no variables are put into files of variables: a value that asks for it is refused', () => {
  writeFileSync(join(folder, 'plain.env'), `A='$x'\nexport B='\${C}'\nD=5$\n`);
  const [one] = read(service('env_file: plain.env')).services;
  expect(one?.containers[0]?.definition.environment).toEqual([
    { name: 'A', value: '$x' },
    { name: 'B', value: '${C}' },
    { name: 'D', value: '5$' },
  ]);
  writeFileSync(join(folder, 'asking.env'), 'A=1\nURL=http://${HOST}\nB="$A"\n');
  expect(() => read(service('env_file: asking.env'))).toThrow(/the value of B has a \$.*\n.*the value of URL has a \$/);
});

test('ports of hosts, for what is no HTTP', () => {
  const [one] = read(
    service(
      'ports:',
      '  - { target: 53, published: 5353, protocol: udp, mode: host }',
      '  - { target: 5432, mode: host }',
    ),
  ).services;
  expect(one?.publish).toEqual([]);
  expect(one?.containers[0]?.definition.portMappings).toEqual([
    { containerPort: 53, hostPort: 5353, protocol: 'udp' },
    { containerPort: 5432, hostPort: 0, protocol: 'tcp' },
  ]);
});

describe('a slipway.yaml', () => {
  const slipway = (source: string): App => read(source, {}, readSlipwayFile);

  it('is services with a container each', () => {
    const app = slipway(`
name: shop
services:
  web: { build: ./web, port: 8080, listen: 81, health_path: /up, count: 2, cpu: 256, memory: 64, environment: { A: b }, secrets: { P: prod/db }, command: a b }
  worker: { image: "worker:1" }
`);
    expect(app.services).toEqual([
      {
        name: 'shop-web',
        line: 4,
        count: 2,
        healthPath: '/up',
        publish: [{ container: 'web', containerPort: 8080, port: 81 }],
        volumes: [],
        containers: [
          {
            source: { kind: 'build', context: join(folder, 'web'), arguments: {}, image: 'shop/web:latest' },
            secrets: { P: 'prod/db' },
            definition: {
              name: 'web',
              essential: true,
              memoryReservation: 64,
              cpu: 256,
              command: ['a', 'b'],
              environment: [{ name: 'A', value: 'b' }],
              portMappings: [{ containerPort: 8080, protocol: 'tcp' }],
            },
          },
        ],
      },
      expect.objectContaining({ name: 'shop-worker', publish: [] }),
    ]);
  });

  it.each([
    ['services: { web: { image: a, ports: [80] } }', 'services.web.ports: is none of image, build, port'],
    ['services: { web: { image: a, build: . } }', 'needs an image or a build, not both'],
    ['services: { web: { image: a, port: http } }', 'a whole number from 1 to 65535'],
    ['services: { web: { image: a, listen: 81 } }', 'give the service a port'],
    ['services: { Web: { image: a } }', 'lower-case letters'],
    ['service: {}', 'service: is none of name, services'],
  ])('is refused: %s', (source, words) => {
    expect(() => slipway(source)).toThrow(words);
  });
});
