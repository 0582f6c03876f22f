import {
  CreateRepositoryCommand,
  ECRClient,
  InvalidParameterException,
  UploadLayerPartCommand,
} from '@aws-sdk/client-ecr';
import {
  ClusterNotFoundException,
  ConflictException,
  CreateServiceCommand,
  DescribeClustersCommand,
  ECSClient,
  ListClustersCommand,
  RunTaskCommand,
  ListServicesCommand,
} from '@aws-sdk/client-ecs';
import {
  AddUserToGroupCommand,
  CreateRoleCommand,
  GetRoleCommand,
  IAMClient,
  ListRolesCommand,
  NoSuchEntityException,
} from '@aws-sdk/client-iam';
import { AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callers, type FrontDoor, openFrontDoor } from '../gateway/testing/front-door.ts';

/** The contract with the pinned SDK clients: an upgrade that moves their schemas or codecs must fail here. */
describe('the real SDK clients', () => {
  let door: FrontDoor;
  const config = () => ({ endpoint: door.url, region: 'us-east-1', credentials: callers.admin, maxAttempts: 1 });
  beforeAll(async () => {
    door = await openFrontDoor();
  });
  afterAll(() => door[Symbol.asyncDispose]());

  test('ecs: lists, structures, timestamps with milliseconds and documents arrive and come back', async () => {
    await using client = closing(new ECSClient(config()));
    const listed = await client.send(new ListClustersCommand({}));
    expect(listed.clusterArns).toEqual(['arn:aws:ecs:us-east-1:000000000000:cluster/default']);
    expect(listed.$metadata.requestId).toMatch(/^[0-9a-f-]{36}$/);
    const hookDetails = { nested: { list: [1, 'two', true, null] } };
    const before = Date.now();
    const { service } = await client.send(
      new CreateServiceCommand({
        serviceName: 'web',
        desiredCount: 3,
        tags: [{ key: 'team', value: 'ä "quoted" <x>' }],
        deploymentConfiguration: { lifecycleHooks: [{ hookTargetArn: 'arn:x', hookDetails }] },
      }),
    );
    expect(service).toMatchObject({
      serviceName: 'web',
      desiredCount: 3,
      tags: [{ key: 'team', value: 'ä "quoted" <x>' }],
    });
    expect(service?.deploymentConfiguration?.lifecycleHooks?.[0]?.hookDetails).toEqual(hookDetails);
    expect(service?.createdAt?.getTime()).toBeGreaterThanOrEqual(before);
  });

  test('ecs: modeled errors are their classes, with their members', async () => {
    await using client = closing(new ECSClient(config()));
    await expect(client.send(new DescribeClustersCommand({ clusters: ['x'] }))).rejects.toBeInstanceOf(
      ClusterNotFoundException,
    );
    const conflict = await client.send(new RunTaskCommand({ taskDefinition: 'web' })).catch((error: unknown) => error);
    expect(conflict).toBeInstanceOf(ConflictException);
    expect(conflict).toMatchObject({ resourceIds: ['a', 'b'], message: 'The token was used before' });
  });

  test('ecs: an operation that is not served is UnknownOperationException', async () => {
    await using client = closing(new ECSClient(config()));
    await expect(client.send(new ListServicesCommand({}))).rejects.toMatchObject({ name: 'UnknownOperationException' });
  });

  test('ecr: blobs of 20 MiB arrive whole', async () => {
    await using client = closing(new ECRClient(config()));
    const layerPartBlob = Buffer.alloc(20 * 1024 * 1024, 'abc');
    const part = {
      repositoryName: 'a1',
      uploadId: 'u',
      partFirstByte: 0,
      partLastByte: layerPartBlob.byteLength - 1,
      layerPartBlob,
    };
    const { lastByteReceived } = await client.send(new UploadLayerPartCommand(part));
    expect(lastByteReceived).toBe(layerPartBlob.byteLength - 1);
  });

  test('ecr: fractions of a second survive, and the endpoint is the one the client used', async () => {
    await using client = closing(new ECRClient(config()));
    const { repository } = await client.send(new CreateRepositoryCommand({ repositoryName: 'team/web' }));
    expect(repository?.createdAt).toEqual(new Date(1_700_000_000_123));
    expect(repository?.repositoryUri).toBe(`${door.url}/team/web`);
  });

  test('ecr: broken constraints are InvalidParameterException and name every member', async () => {
    await using client = closing(new ECRClient(config()));
    const error = await client
      .send(new CreateRepositoryCommand({ repositoryName: 'UPPER', imageTagMutability: 'SOMETIMES' as 'MUTABLE' }))
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InvalidParameterException);
    expect((error as Error).message).toBe(
      "2 validation errors detected: Value 'UPPER' at 'repositoryName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-z0-9/_.-]+$; " +
        "Value 'SOMETIMES' at 'imageTagMutability' failed to satisfy constraint: Member must satisfy enum value set: [MUTABLE, IMMUTABLE]",
    );
    const missing = await client.send(new CreateRepositoryCommand({} as never)).catch((thrown: unknown) => thrown);
    expect((missing as Error).message).toBe(
      "1 validation error detected: Value null at 'repositoryName' failed to satisfy constraint: Member must not be null",
    );
  });

  test('iam: nested lists, special characters and dates go through the Query protocol', async () => {
    await using client = closing(new IAMClient(config()));
    const document =
      '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}';
    const { Role } = await client.send(
      new CreateRoleCommand({
        RoleName: 'task+role',
        AssumeRolePolicyDocument: document,
        Description: 'a & b <c> "d" \'e\' é\n\tz',
        Tags: [
          { Key: 'one', Value: '1' },
          { Key: 'two', Value: '' },
        ],
      }),
    );
    expect(Role).toMatchObject({
      RoleName: 'task+role',
      Path: '/',
      CreateDate: new Date(1_700_000_000_000),
      Description: 'a & b <c> "d" \'e\' é\n\tz',
    });
    expect(Role?.Tags).toEqual([
      { Key: 'one', Value: '1' },
      { Key: 'two', Value: '' },
    ]);
    expect(decodeURIComponent(Role?.AssumeRolePolicyDocument ?? '')).toBe(document);
    expect((await client.send(new ListRolesCommand({}))).Roles).toEqual([]);
    await client.send(new AddUserToGroupCommand({ GroupName: 'g', UserName: 'u' }));
  });

  test('iam: errors carry the old code, their class and their status', async () => {
    await using client = closing(new IAMClient(config()));
    const error = await client.send(new GetRoleCommand({ RoleName: 'gone' })).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NoSuchEntityException);
    expect(error).toMatchObject({ Code: 'NoSuchEntity', Type: 'Sender', $metadata: { httpStatusCode: 404 } });
    const invalid = await client
      .send(new CreateRoleCommand({ RoleName: 'r', AssumeRolePolicyDocument: '{}', MaxSessionDuration: 5 }))
      .catch((thrown: unknown) => thrown);
    expect(invalid).toMatchObject({
      name: 'ValidationError',
      message: expect.stringContaining("Value '5' at 'maxSessionDuration'"),
    });
  });

  test('sts: the caller is who signed, and an operation without credentials takes none', async () => {
    await using client = closing(new STSClient(config()));
    expect(await client.send(new GetCallerIdentityCommand({}))).toMatchObject({
      Arn: callers.admin.principal.arn,
      Account: '000000000000',
    });
    const unsigned = await client.send(
      new AssumeRoleWithWebIdentityCommand({
        RoleArn: 'arn:aws:iam::000000000000:role/ci',
        RoleSessionName: 'ci',
        WebIdentityToken: 'x.y.z',
      }),
    );
    expect(unsigned.SubjectFromWebIdentityToken).toBe('via ci');
  });
});

/** A client that is closed with its scope. */
function closing<T extends { destroy(): void }>(client: T): T & AsyncDisposable {
  return Object.assign(client, { [Symbol.asyncDispose]: async () => client.destroy() });
}
