import { readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AwsCli } from '../testbed/aws-cli.ts';
import { check, type CommandResult, run, until } from '../testbed/command.ts';
import { makeImage, missingDocker, webCommand, webImage } from '../testbed/docker.ts';
import { LocalStage } from '../testbed/local-stage.ts';
import { shellBlocks } from '../testbed/readme.ts';
import { ownAddresses, type ServerProcess } from '../testbed/server-process.ts';

/** The status of an answer to a request that is sent to this machine for a host; or why there is none. */
const ask = (port: number, host: string): Promise<number | string> =>
  new Promise((resolve) => {
    get({ host: '127.0.0.1', port, headers: { host }, agent: false }, (answer) => {
      answer.resume().once('end', () => resolve(answer.statusCode ?? 0));
    }).once('error', (error) => resolve(error.message));
  });

/** What the pages tell a newcomer to type, typed. */
const root = join(import.meta.dirname, '..', '..');
const slipway = join(root, 'tools', 'bin', 'slipway');
const missing = await missingDocker();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

describe.skipIf(missing !== undefined)(`the README${missing === undefined ? '' : ` (${missing})`}`, () => {
  const stage = new LocalStage('readme');
  const { folder, image } = stage;
  const [hello = ''] = shellBlocks('README.md', 'The first service, in a minute');
  const [first = '', further = ''] = shellBlocks('README.md', 'The same, step by step');
  let server: ServerProcess;
  let port = 0;

  beforeAll(async () => {
    port = await freePort();
    server = await stage.serve({ SLIPWAY_LB_ADDRESSES: ownAddresses() });
    const web = webImage(`${image}:latest`, 'hello');
    await makeImage(stage.docker, { ...web, command: ['/bin/sh', '-c', `echo serves on 8080; ${webCommand[2]}`] });
  });
  afterAll(async () => {
    const aws = new AwsCli(server.aws());
    await slip('expose', 'default/web', '--remove');
    await aws.run(['ecs', 'delete-service', '--service', 'web', '--force']);
    await server.stop();
    await stage[Symbol.asyncDispose]();
  });

  const slip = (...args: string[]): Promise<CommandResult> => run(slipway, args, { env: { ...server.aws() } });

  /** Types a block, with a port that is free in place of the usual one. */
  const type = (block: string): Promise<CommandResult> =>
    stage.type(
      block
        .replaceAll(/--(port|listen) 80\b/g, `--$1 ${port}`)
        // Which goes on until somebody ends it.
        .replaceAll('logs web --follow', 'logs web'),
    );

  test('leads from an image to a URL that answers, and back to nothing', { timeout: 600_000 }, async () => {
    const done = await type(hello);
    expect(done.code, done.stdout + done.stderr).toBe(0);
    expect(done.stdout).toContain('hello');
    expect(done.stdout).toMatch(/^hello +slipway-readme-/m);
    const away = await slip('down', '--name', 'hello', '--all', '--yes');
    expect([away.code, away.stderr]).toEqual([0, expect.stringContaining('removed hello')]);
  });

  test('leads to a service that stands, follows its tag, and is explained', { timeout: 600_000 }, async () => {
    const begun = await type(first);
    expect(begun.code, begun.stdout + begun.stderr).toBe(0);
    expect(begun.stdout).toContain('hello');
    const explained = await type(further);
    expect(explained.code, explained.stdout + explained.stderr).toBe(0);
    await until('a line of each task', 180_000, async () => {
      const { stdout } = await slip('logs', 'web', '--output', 'json');
      const tasks = stdout
        .split('\n')
        .flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { task: string }).task]));
      return stdout.includes('"message":"serves on 8080"') && new Set(tasks).size >= 2;
    });
    const aws = new AwsCli(server.aws());
    // What is exposed gets new tasks: the ones before them end once these are in rotation.
    await until('two tasks, none more', 180_000, async () => {
      const described = ['ecs', 'describe-services', '--services', 'web'];
      const { services } = await aws.json<{ services: { runningCount: number; deployments: object[] }[] }>(described);
      return services[0]?.runningCount === 2 && services[0].deployments.length === 1;
    });
  });

  test('leads to a blue/green push, and no request fails meanwhile', { timeout: 600_000 }, async () => {
    const [blocks = ''] = shellBlocks('README.md', 'Blue/green');
    const shown = await slip('expose', 'default/web', '--port', String(port), '--output', 'json');
    const { url } = JSON.parse(shown.stdout) as { url: string };
    let over = false;
    const failed: string[] = [];
    let answered = 0;
    const asking = (async () => {
      while (!over) {
        // Names below localhost are for curl and browsers; Node asks a DNS server for them.
        const answer = await ask(port, new URL(url).host);
        if (answer === 200) answered++;
        else failed.push(String(answer));
        await sleep(20);
      }
    })();
    const pushed = await type(blocks);
    over = true;
    await asking;
    expect(pushed.code, pushed.stdout + pushed.stderr).toBe(0);
    expect(pushed.stdout).toContain('production 100 % new');
    expect([failed, answered > 0]).toEqual([[], true]);
    const listed = await slip('deployments', 'list', 'default/web', '--output', 'json');
    const [newest, before] = JSON.parse(listed.stdout) as { status: string; targetServiceRevisionArn: string }[];
    expect([newest?.status, before?.status]).toEqual(['SUCCESSFUL', 'SUCCESSFUL']);
    const late = await slip('deployments', 'rollback', 'default/web');
    expect([late.code, late.stderr]).toEqual([1, expect.stringContaining('is over')]);
    expect((await slip('deployments', 'continue', 'default/web')).stderr).toContain('does not wait for a person');
  });

  test(
    'leads to a URL: exposed once, however often it is said, and taken away again',
    { timeout: 600_000 },
    async () => {
      const again = await slip('expose', 'default/web', '--port', String(port), '--output', 'json');
      expect(again.code, again.stderr).toBe(0);
      const { url, changed, serving } = JSON.parse(again.stdout) as { url: string; changed: boolean; serving: boolean };
      expect([changed, serving]).toEqual([false, true]);
      expect(url).toMatch(new RegExp(`^http://web-[0-9a-f]{16}\\.elb\\.localhost:${port}$`));
      for (const [args, words] of [
        [['default/nobody'], 'there is no service nobody'],
        [['default/web', '--container', 'x'], 'has no container x, only web'],
        [['default/web', '--container-port', '9'], 'has that port; there are web:8080'],
        [['default/web', '--port', '0'], '--port is a port'],
      ] as const) {
        const refused = await slip('expose', ...args);
        expect([refused.code === 0, refused.stdout]).toEqual([false, '']);
        expect(refused.stderr).toContain(words);
      }
      const explained = await slip('explain', 'default/web');
      expect(explained.stdout).toContain(`Load balancer web: ${url}`);
      const removed = await slip('expose', 'default/web', '--remove');
      expect(removed.code, removed.stderr).toBe(0);
      expect((await slip('lb', 'list')).stdout).toContain('no load balancers');
      expect((await slip('expose', 'default/web', '--remove')).stdout).toContain('was not exposed');
    },
  );

  test('names every command', async () => {
    const help = await check(slipway, ['--help']);
    const commands = [...(/^Commands:\n([^]*)/m.exec(help)?.[1]?.matchAll(/^ {2}([a-z]+)/gm) ?? [])].map(
      ([, name]) => name,
    );
    const page = readFileSync(join(root, 'README.md'), 'utf8');
    expect(commands.length).toBeGreaterThan(10);
    expect(commands.filter((name) => name !== 'help' && !page.includes(`\`slipway ${name}`))).toEqual([]);
  });

  test('the worked example of a command works', async () => {
    const page = readFileSync(join(root, 'tools', 'README.md'), 'utf8');
    const [, example = ''] = /```ts\n([^]*?clusters[^]*?)```/.exec(page) ?? [];
    const file = join(folder, 'clusters.ts');
    const beside = (name: string): string => pathToFileURL(join(root, 'tools', 'cli', name)).href;
    writeFileSync(
      file,
      example
        .replaceAll(/'\.\/([\w-]+\.ts)'/g, (_, name: string) => `'${beside(name)}'`)
        .replace("'@aws-sdk/client-ecs'", `'${import.meta.resolve('@aws-sdk/client-ecs')}'`),
    );
    const call = `import { clusters } from ${JSON.stringify(pathToFileURL(file).href)}; await clusters({ output: 'json' });`;
    const printed = await check(process.execPath, ['--input-type=module', '-e', call], {
      env: { SLIPWAY_DATA: server.data, AWS_ENDPOINT_URL: undefined },
    });
    expect(JSON.parse(printed)).toEqual([expect.stringMatching(/cluster\/default$/)]);
  });
});
