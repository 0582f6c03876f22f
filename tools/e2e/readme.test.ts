import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AwsCli } from '../testbed/aws-cli.ts';
import { check, type CommandResult, run } from '../testbed/command.ts';
import { DockerCli, makeImage, missingDocker, webImage } from '../testbed/docker.ts';
import { shellBlocks } from '../testbed/readme.ts';
import { freePort, ServerProcess } from '../testbed/server-process.ts';

/** What the pages tell a newcomer to type, typed. */
const root = join(import.meta.dirname, '..', '..');
const slipway = join(root, 'tools', 'bin', 'slipway');
const missing = await missingDocker();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

describe.skipIf(missing !== undefined)(`the README${missing === undefined ? '' : ` (${missing})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-readme-'));
  const docker = new DockerCli();
  const image = `slipway-readme-${randomUUID()}`;
  const [first = '', further = ''] = shellBlocks('README.md', 'The first service, in a minute');
  let server: ServerProcess;

  beforeAll(async () => {
    server = new ServerProcess(await freePort(), join(folder, 'data'));
    await server.start();
    await makeImage(docker, webImage(`${image}:latest`, 'hello'));
  });
  afterAll(async () => {
    const aws = new AwsCli(server.aws());
    await aws.run(['ecs', 'delete-service', '--service', 'web', '--force']);
    await server.stop();
    const left = await docker.check(['ps', '--all', '--quiet', '--filter', `ancestor=${image}`]);
    if (left !== '') await docker.run(['rm', '--force', ...left.split('\n')]);
    await docker.run(['rmi', '--force', `${image}:latest`, `${server.registry}/web:prod`]);
    docker.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Types a block into a shell of its own, in the checkout, with this server's address and folder in place of the usual ones. */
  const type = (block: string): Promise<CommandResult> =>
    run('sh', ['-euc', block.replaceAll('127.0.0.1:7500', server.registry).replaceAll('my-web-image', image)], {
      cwd: root,
      env: {
        PATH: [join(root, 'node_modules', '.bin'), process.env['PATH']].join(delimiter),
        SLIPWAY_DATA: server.data,
        DOCKER_CONFIG: join(folder, 'docker'),
        AWS_PAGER: '',
        AWS_CONFIG_FILE: '/dev/null',
        AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      },
      timeout: 200_000,
    });

  test('leads to a service that stands, follows its tag, and is explained', { timeout: 240_000 }, async () => {
    const typed = await type(first);
    expect(typed.code, typed.stdout + typed.stderr).toBe(0);
    const explained = await type(further);
    expect(explained.code, explained.stdout + explained.stderr).toBe(0);
    const aws = new AwsCli(server.aws());
    const { services } = await aws.json<{ services: { runningCount: number; taskDefinition: string }[] }>([
      'ecs',
      'describe-services',
      '--services',
      'web',
    ]);
    expect(services[0]?.runningCount).toBe(2);
  });

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
