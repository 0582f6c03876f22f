import { mkdirSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CommandResult, run, until } from '../testbed/command.ts';
import { makeImage, missingDocker, webImage } from '../testbed/docker.ts';
import { LocalStage } from '../testbed/local-stage.ts';
import { ownAddresses, type ServerProcess } from '../testbed/server-process.ts';

/** From a compose file to a URL that answers, and back to nothing, on a Docker engine. The tests build on each other. */
const slipway = join(import.meta.dirname, '..', 'bin', 'slipway');
const missing = await missingDocker();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

describe.skipIf(missing !== undefined)(
  `slipway up${missing === undefined ? '' : ` (${missing})`}`,
  { timeout: 600_000 },
  () => {
    const stage = new LocalStage('up');
    const { folder, image: base } = stage;
    const shop = join(folder, 'shop');
    let server: ServerProcess;
    let port = 0;

    beforeAll(async () => {
      port = await freePort();
      server = await stage.serve({ SLIPWAY_LB_ADDRESSES: ownAddresses() });
      await makeImage(stage.docker, webImage(`${base}:1`, 'nothing'));
      mkdirSync(join(shop, 'web'), { recursive: true });
      writeFileSync(join(shop, 'web', 'Dockerfile'), `FROM ${base}:1\nCOPY index.html /www/index.html\n`);
      writeFileSync(join(shop, 'web', 'index.html'), 'first');
      compose('info');
    });
    afterAll(async () => {
      await slip('down', '--name', 'shop', '--all', '--yes');
      await stage[Symbol.asyncDispose]();
      await run('docker', ['rmi', '--force', 'shop/web:latest']);
      await run('docker', ['volume', 'rm', '--force', 'shop_data']);
    });

    const compose = (level: string): void =>
      writeFileSync(
        join(shop, 'compose.yaml'),
        `
services:
  web:
    build: ./web
    ports: ["${port}:8080"]
    environment: { LEVEL: ${level} }
    depends_on: { db: { condition: service_healthy } }
    x-slipway: { secrets: { PASSWORD: shop/db } }
    # What it depends on, it reaches by name.
    healthcheck: { test: "wget -q -O /dev/null http://db:5000/ && test $$PASSWORD = hush", interval: 5s }
  db:
    image: ${base}:1
    command: ["/bin/sh", "-c", "trap 'exit 0' TERM; httpd -f -p 5000 -h /www & wait"]
    healthcheck: { test: "wget -q -O /dev/null http://127.0.0.1:5000/", interval: 5s }
    volumes: ["data:/data"]
volumes: { data: }
`,
      );
    const slip = (...args: string[]): Promise<CommandResult> =>
      run(slipway, args, { env: { ...server.aws(), SLIPWAY_DATA: server.data }, timeout: 280_000 });
    const json = async <T>(...args: string[]): Promise<T> => {
      const result = await slip(...args, '--output', 'json');
      expect(result.code, result.stderr).toBe(0);
      return JSON.parse(result.stdout) as T;
    };
    interface Up {
      readonly changed: boolean;
      readonly services: readonly {
        readonly service: string;
        readonly taskDefinition: string;
        readonly urls: string[];
      }[];
    }
    /** Names below localhost are for curl and browsers; Node asks a DNS server for them. */
    const page = (url: string): Promise<string> =>
      new Promise((resolve, reject) => {
        get({ host: '127.0.0.1', port, headers: { host: new URL(url).host }, agent: false }, (answer) => {
          text(answer).then(resolve, reject);
        }).once('error', reject);
      });

    test('makes what a compose file says, down to a URL that answers', async () => {
      const before = await slip('up', shop);
      expect([before.code, before.stderr]).toEqual([1, expect.stringContaining('slipway secrets set shop/db')]);
      writeFileSync(join(folder, 'hush'), 'hush');
      await json('secrets', 'set', 'shop/db', '--file', join(folder, 'hush'));
      const dry = await slip('up', shop, '--dry-run');
      expect(dry.stderr).toContain('+ service shop-web: 1 task of web, db');
      const done = await json<Up>('up', shop);
      expect(done).toMatchObject({ changed: true, services: [{ service: 'shop-web' }] });
      expect(await page(done.services[0]?.urls[0] ?? '')).toBe('first');
      const tasks = await json<{ group: string; containers: { name: string }[] }[]>('ps');
      expect(tasks.map(({ group, containers }) => [group, containers.map(({ name }) => name)])).toEqual([
        ['shop-web', ['web', 'db']],
      ]);
      const services = await json<{ service: string; running: number; state: string }[]>('ps', '--services');
      expect(services).toMatchObject([{ service: 'shop-web', running: 1, state: expect.stringMatching(/^steady/) }]);
      const told = (await slip('events', '--output', 'json')).stdout.trim().split('\n');
      const happened = told.map((line) => JSON.parse(line) as { 'detail-type': string; time: string });
      expect([...new Set(happened.map((one) => one['detail-type']))].toSorted()).toEqual([
        'ECR Image Action',
        'ECS Container Instance State Change',
        'ECS Deployment State Change',
        'ECS Service Action',
        'ECS Task State Change',
      ]);
      const times = happened.map(({ time }) => time);
      expect(times).toEqual(times.toSorted());
      const offered = await slip('__complete', '--', 'explain', 'default/');
      expect(offered.stdout).toBe('default/shop-web\n');
      const images = await json<{ repository: string; usedBy: string[] }[]>('images');
      expect(images.map(({ repository, usedBy }) => [repository, usedBy])).toEqual([
        ['shop/web', ['default/shop-web']],
        [base, ['default/shop-web']],
      ]);
    });

    test('changes nothing the second time, and asks before it changes something', async () => {
      expect(await json<Up>('up', shop)).toMatchObject({ changed: false });
      compose('debug');
      writeFileSync(join(shop, 'web', 'index.html'), 'second');
      const asked = await slip('up', shop);
      expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining('say --yes')]);
      const { services } = await json<Up>('up', shop, '--yes');
      expect(services[0]?.taskDefinition).toMatch(/shop-web:2$/);
      await until('the new page', 180_000, async () => (await page(services[0]?.urls[0] ?? '')) === 'second');
    });

    test('goes away again', async () => {
      expect(await json('down', shop, '--all', '--yes')).toEqual({
        project: 'shop',
        services: ['shop-web'],
        repositories: expect.arrayContaining(['shop/web', base]),
        logGroup: 'shop',
      });
      expect(await json('ps')).toEqual([]);
      expect(await json('images')).toEqual([]);
      expect(await json('lb', 'list')).toEqual([]);
      expect((await slip('down', shop)).stdout).toContain('nothing of shop runs');
    });
  },
);
