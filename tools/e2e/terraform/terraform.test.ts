import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateRepositoryCommand, ECRClient } from '@aws-sdk/client-ecr';
import { ScriptedHook } from '@slipway/scheduler/hooks/testing';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { trafficEngines } from '../../server/traffic-engines.ts';
import { ownAddresses, ServerProcess } from '../../testbed/server-process.ts';
import { missingTerraform, Terraform } from '../../testbed/terraform.ts';
import { alarms } from './alarms.ts';
import { balancing } from './balancing.ts';
import { cloudwatch } from './cloudwatch.ts';
import { codedeploy } from './codedeploy.ts';
import { containers } from './containers.ts';
import { groups } from './groups.ts';
import { identity } from './identity.ts';
import { logs, subscription } from './logs.ts';
import { scaling } from './scaling.ts';
import { objects } from './objects.ts';
import { network } from './network.ts';
import { registry } from './registry.ts';
import { settings } from './settings.ts';
import { volumes } from './volumes.ts';

/** All rooms' resources in one run: most of each command is the provider, which starts for every one of them. */
if (missingTerraform !== undefined && process.env['CI']) throw new Error(`${missingTerraform} on this machine`);

const rooms = [
  containers,
  identity,
  network,
  registry,
  balancing,
  codedeploy,
  logs,
  cloudwatch,
  scaling,
  groups,
  settings,
  alarms,
  volumes,
  objects,
];
const folder = mkdtempSync(join(tmpdir(), 'slipway-terraform-'));
let server: ServerProcess;
let receiver: ScriptedHook;
let terraform: Terraform;

beforeAll(async () => {
  if (missingTerraform !== undefined) return;
  receiver = await ScriptedHook.open();
  const authority = join(folder, 'authority.pem');
  writeFileSync(authority, receiver.ca);
  server = new ServerProcess(await freePort(), join(folder, 'data'), {
    SLIPWAY_OUTBOUND_ALLOW: '127.0.0.1/32',
    NODE_EXTRA_CA_CERTS: authority,
    SLIPWAY_AGENT: 'off',
    SLIPWAY_WORKERS: '1',
    SLIPWAY_INSTANCE_PROVIDERS: 'none=/bin/echo {"instances":[]}',
    SLIPWAY_LB_ADDRESSES: ownAddresses(),
  });
  await server.start();
  terraform = new Terraform(folder, server.aws(), server.endpoint, [
    ...new Set(rooms.flatMap((room) => room.services)),
  ]);
});

afterAll(async () => {
  await server?.stop();
  await receiver?.[Symbol.asyncDispose]();
  // It outlives the server; after a test that failed it would stay.
  for (const { open } of trafficEngines({ data: join(folder, 'data'), loadBalancing: { engine: 'auto' } }))
    await (await open()).stop();
  rmSync(folder, { recursive: true, force: true });
});

test.skipIf(missingTerraform !== undefined)(
  `Terraform applies the resources of every room, sees no difference afterwards, changes and destroys them${missingTerraform ? ` (${missingTerraform})` : ''}`,
  async () => {
    const texts = rooms.map((room) => room.resources(folder));
    const told = subscription(receiver.localUrl);
    const write = (parts: readonly string[]): void =>
      terraform.write(['data "aws_caller_identity" "me" {}', ...parts, told].join('\n'));
    const count = [...texts, told].join('\n').match(/^resource /gm)?.length ?? 0;
    write(texts);
    await terraform.init();
    expect(await terraform.apply()).toContain(`Apply complete! Resources: ${count} added, 0 changed, 0 destroyed.`);
    const planned = await terraform.plan();
    expect(planned.stdout + planned.stderr).toContain('No changes.');
    expect(planned.code).toBe(0);

    write(rooms.map((room, i) => room.change(texts[i] ?? '')));
    const changes = rooms.reduce((sum, room) => sum + room.changes, 0);
    expect(await terraform.apply()).toContain(`Apply complete! Resources: 0 added, ${changes} changed, 0 destroyed.`);
    const again = await terraform.plan();
    expect(again.stdout + again.stderr).toContain('No changes.');
    expect(await terraform.destroy()).toContain(`Destroy complete! Resources: ${count} destroyed.`);

    const env = server.aws();
    const ecr = new ECRClient({
      endpoint: server.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '' },
    });
    // The name is free again.
    await ecr.send(new CreateRepositoryCommand({ repositoryName: 'terraform/app' }));
    ecr.destroy();
  },
  900_000,
);
