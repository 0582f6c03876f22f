import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@slipway/storage/testing';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { check, type CommandResult, run } from '../testbed/command.ts';
import { DockerCli, makeImage, missingDocker, webImage } from '../testbed/docker.ts';
import { ServerProcess } from '../testbed/server-process.ts';

/** Does what auth/identity/README.md's guide says, command by command, as a newcomer would. */
const readme = readFileSync(join(import.meta.dirname, '..', '..', 'auth', 'identity', 'README.md'), 'utf8');
const guide = readme
  .slice(readme.indexOf('## Guide:'))
  .split(/\n###? /, 2)
  .join('\n');
const blocks = [...guide.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1] as string);

const launcher = join(import.meta.dirname, '..', 'bin', 'slipway');

const missing = (await missingDocker()) ?? (await missingAwsCli());
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

interface KeyAnswer {
  readonly AccessKey: { readonly AccessKeyId: string; readonly SecretAccessKey: string };
}

describe.skipIf(missing !== undefined)(
  `the guide to permissions${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-guide-'));
    const data = join(folder, 'data');
    const docker = new DockerCli();
    let server: ServerProcess;
    let issuer: Server;
    let ci: string;
    let token: (subject: string) => Promise<string>;

    beforeAll(async () => {
      // The CI system's issuer: https with a certificate of this installation's own authority, on this machine.
      await check(launcher, ['tls', 'init', '--data', data]);
      const { publicKey, privateKey } = await generateKeyPair('ES256');
      const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' };
      const read = (name: string): Buffer => readFileSync(join(data, 'tls', name));
      issuer = createServer({ cert: read('server.crt'), key: read('server.key') }, (request, response) =>
        response.end(
          JSON.stringify(
            request.url === '/keys' ? { keys: [jwk] } : { issuer: `https://${ci}`, jwks_uri: `https://${ci}/keys` },
          ),
        ),
      );
      const port = await freePort();
      await new Promise<void>((resolve) => issuer.listen(port, '127.0.0.1', resolve));
      ci = `localhost:${port}`;
      token = (subject) =>
        new SignJWT({ sub: subject })
          .setProtectedHeader({ alg: 'ES256', kid: 'k' })
          .setIssuer(`https://${ci}`)
          .setAudience('sts.amazonaws.com')
          .setIssuedAt()
          .setExpirationTime('5m')
          .sign(privateKey);
      server = new ServerProcess(await freePort(), data, {
        SLIPWAY_AGENT: 'off',
        SLIPWAY_WORKERS: '1',
        SLIPWAY_OUTBOUND_ALLOW: '127.0.0.0/8',
      });
      await server.start();
      const aws = new AwsCli(server.aws());
      for (const name of ['team-a/web', 'team-b/web']) {
        await aws.json(['ecr', 'create-repository', '--repository-name', name]);
        await makeImage(docker, webImage(`${server.registry}/${name}:1`, name));
      }
      await login(server.aws());
      for (const name of ['team-a/web', 'team-b/web']) await docker.check(['push', `${server.registry}/${name}:1`]);
    });

    afterAll(async () => {
      await server.stop();
      issuer.close();
      for (const name of ['team-a/web:1', 'team-b/web:1', 'team-b/web:2', 'team-a/web:2'])
        await docker.run(['rmi', '-f', `${server.registry}/${name}`]);
      docker.dispose();
      rmSync(folder, { recursive: true, force: true });
    });

    /** Runs a block of the guide in a shell; the addresses of the example become ours. */
    const shell = (text: string, env: Record<string, string> = {}): Promise<CommandResult> =>
      run('sh', ['-ec', text.replaceAll('ACCOUNT', '000000000000').replaceAll('ci.example.com', ci)], {
        cwd: folder,
        env: { ...server.aws(), AWS_PAGER: '', SLIPWAY_DATA: data, ...env },
      });
    const block = async (contains: string): Promise<string> => {
      const found = blocks.filter((text) => text.includes(contains));
      expect(found).toHaveLength(1);
      const result = await shell((found[0] as string).replaceAll('npx slipway', launcher));
      expect(result.stderr).toBe('');
      return result.stdout;
    };
    const login = async (env: Record<string, string>): Promise<void> => {
      const { stdout } = await run('aws', ['ecr', 'get-login-password'], { env });
      await docker.check(['login', '-u', 'AWS', '--password-stdin', server.registry], stdout.trim());
    };
    const pull = (name: string) => docker.run(['pull', `${server.registry}/${name}`]);
    const push = async (name: string): Promise<CommandResult> => {
      await docker.check(['tag', `${server.registry}/team-a/web:1`, `${server.registry}/${name}`]);
      return docker.run(['push', `${server.registry}/${name}`]);
    };

    test('a user who may only pull team-a/*', async () => {
      const printed = await block('create-user --user-name pull-a');
      const { AccessKey } = JSON.parse(printed.slice(printed.lastIndexOf('{\n    "AccessKey"'))) as KeyAnswer;
      await login({
        ...server.aws(),
        AWS_ACCESS_KEY_ID: AccessKey.AccessKeyId,
        AWS_SECRET_ACCESS_KEY: AccessKey.SecretAccessKey,
      });
      expect((await pull('team-a/web:1')).code).toBe(0);
      expect((await pull('team-b/web:1')).stderr).toMatch(/denied/i);
      const refused = await push('team-a/web:2');
      expect(refused.code).not.toBe(0);
      expect(refused.stderr + refused.stdout).toMatch(/denied/i);
    });

    test('one command explains a denial', async () => {
      const command = blocks.find((text) => text.includes('auth explain')) as string;
      const { code, stdout, stderr } = await shell(command.replaceAll('npx slipway', launcher));
      expect({ code, stderr }).toEqual({ code: 3, stderr: '' });
      expect(stdout).toMatch(/user\/pull-a may not ecr:PutImage on .*repository\/team-a\/web/);
      expect(stdout).toContain('because no identity-based policy allows the ecr:PutImage action');
      expect(stdout).toMatch(/inline:pull/);
    });

    test('a CI role that may push, without a stored key', async () => {
      await block('create-open-id-connect-provider');
      const build = async (subject: string): Promise<CommandResult> => {
        writeFileSync(join(folder, 'token'), await token(subject));
        const environment = /AWS_ROLE_ARN=\S+ AWS_WEB_IDENTITY_TOKEN_FILE=\S+ aws ecr get-login-password/.exec(
          guide,
        )?.[0];
        return shell(`unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY; ${environment ?? 'false'}`, {
          AWS_CONFIG_FILE: '/dev/null',
          AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
          AWS_EC2_METADATA_DISABLED: 'true',
          // Where the command line keeps sessions for the next command.
          HOME: mkdtempSync(join(folder, 'home-')),
        });
      };
      const refused = await build('repo:team-b/web:ref:refs/heads/main');
      expect(refused.stderr).toContain('AccessDenied');
      const password = await build('repo:team-a/web:ref:refs/heads/main');
      expect(password.stderr).toBe('');
      await docker.check(['login', '-u', 'AWS', '--password-stdin', server.registry], password.stdout.trim());
      expect((await push('team-a/web:2')).code).toBe(0);
    });

    test("a service's task role", async () => {
      await block('--role-name web-task');
      const aws = new AwsCli(server.aws());
      const role = /"taskRoleArn": "([^"]+)"/.exec(guide)?.[1]?.replace('ACCOUNT', '000000000000') ?? '';
      const { taskDefinition } = await aws.json<{ taskDefinition: { taskRoleArn: string } }>([
        'ecs',
        'register-task-definition',
        '--family',
        'web',
        '--task-role-arn',
        role,
        '--container-definitions',
        `[{ "name": "web", "image": "${server.registry}/team-a/web:1", "memory": 64 }]`,
      ]);
      expect(taskDefinition.taskRoleArn).toBe('arn:aws:iam::000000000000:role/web-task');
    });
  },
);
