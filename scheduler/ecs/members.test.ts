import * as sdk from '@aws-sdk/client-ecs';
import { modelOf } from '@slipway/auth/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openApi, type TestApi } from './testing/open-api.ts';

/**
 * Every member of what callers send is acted on, or refused by name: a new SDK with a new member fails here until somebody decides.
 */
let api: TestApi;
beforeAll(async () => {
  api = await openApi();
  await api.ecs.send(new sdk.CreateClusterCommand({ clusterName: 'default' }));
  await api.addInstance({ cluster: 'default' });
  await api.define({ family: 'app' });
  await api.ecs.send(
    new sdk.CreateCapacityProviderCommand({
      name: 'own',
      autoScalingGroupProvider: { autoScalingGroupArn: 'own-hosts' },
    }),
  );
  await api.ecs.send(new sdk.CreateServiceCommand({ serviceName: 'web', taskDefinition: 'app', desiredCount: 0 }));
});
afterAll(() => api[Symbol.asyncDispose]());

type Schema = NonNullable<ReturnType<ReturnType<typeof modelOf>['operations']['get']>>['input'];

const { operations } = modelOf(sdk as never);

/** Something that a member can hold, so that it asks for something. */
function sample(schema: Schema, depth = 0): unknown {
  if (schema.isListSchema()) return [sample(schema.getValueSchema(), depth + 1)];
  if (schema.isMapSchema()) return { a: sample(schema.getValueSchema(), depth + 1) };
  if (schema.isStructSchema())
    return depth > 4
      ? {}
      : Object.fromEntries([...schema.structIterator()].map(([name, member]) => [name, sample(member, depth + 1)]));
  if (schema.isBooleanSchema()) return true;
  if (schema.isNumericSchema()) return 1;
  return schema.isDocumentSchema() ? {} : 'x';
}

/** The structure at a path below an operation's input; `[]` is a list's element. */
function shapeAt(operation: string, path: string): Schema {
  let schema = operations.get(operation)?.input as Schema;
  for (const step of path.split('.').filter((part) => part !== ''))
    schema = step === '[]' ? schema.getValueSchema() : schema.getMemberSchema(step);
  return schema;
}

const commands = {
  RegisterTaskDefinition: sdk.RegisterTaskDefinitionCommand,
  RunTask: sdk.RunTaskCommand,
  StartTask: sdk.StartTaskCommand,
  CreateService: sdk.CreateServiceCommand,
  UpdateService: sdk.UpdateServiceCommand,
  CreateCluster: sdk.CreateClusterCommand,
  UpdateCluster: sdk.UpdateClusterCommand,
  CreateCapacityProvider: sdk.CreateCapacityProviderCommand,
  UpdateCapacityProvider: sdk.UpdateCapacityProviderCommand,
};

const withContainer = (member: object): object => ({
  family: 'members',
  containerDefinitions: [{ name: 'main', image: 'busybox', memory: 6, ...member }],
});
const service = { taskDefinition: 'app', desiredCount: 0 };
const group = { autoScalingGroupProvider: { autoScalingGroupArn: 'hosts' } };

describe.each<{
  operation: string;
  path: string;
  /** What there is code for; whether a value is taken is its own tests' matter. */
  acted: string;
  request: (member: object) => object;
}>([
  {
    operation: 'RegisterTaskDefinition',
    path: '',
    acted:
      'family taskRoleArn executionRoleArn networkMode containerDefinitions volumes placementConstraints requiresCompatibilities cpu memory tags pidMode ipcMode runtimePlatform ephemeralStorage',
    request: (member) => ({ ...withContainer({}), ...member }),
  },
  {
    operation: 'RegisterTaskDefinition',
    path: 'containerDefinitions.[]',
    acted:
      'name image cpu memory memoryReservation links portMappings essential restartPolicy entryPoint command environment environmentFiles mountPoints volumesFrom linuxParameters dependsOn startTimeout stopTimeout versionConsistency hostname user workingDirectory disableNetworking privileged readonlyRootFilesystem dnsServers dnsSearchDomains extraHosts dockerSecurityOptions interactive pseudoTerminal dockerLabels ulimits logConfiguration healthCheck systemControls secrets repositoryCredentials firelensConfiguration',
    request: withContainer,
  },
  {
    operation: 'RegisterTaskDefinition',
    path: 'containerDefinitions.[].logConfiguration',
    acted: 'logDriver options secretOptions',
    request: (member) => withContainer({ logConfiguration: { logDriver: 'json-file', ...member } }),
  },
  {
    operation: 'RegisterTaskDefinition',
    path: 'containerDefinitions.[].linuxParameters',
    acted: 'capabilities devices initProcessEnabled sharedMemorySize tmpfs maxSwap swappiness',
    request: (member) => withContainer({ linuxParameters: member }),
  },
  {
    operation: 'RegisterTaskDefinition',
    path: 'volumes.[]',
    acted: 'name host dockerVolumeConfiguration efsVolumeConfiguration',
    request: (member) => ({ ...withContainer({}), volumes: [{ name: 'v', ...member }] }),
  },
  {
    operation: 'RegisterTaskDefinition',
    path: 'volumes.[].efsVolumeConfiguration',
    acted: 'fileSystemId rootDirectory transitEncryption authorizationConfig',
    request: (member) => ({
      ...withContainer({}),
      volumes: [{ name: 'v', efsVolumeConfiguration: { fileSystemId: 'fs-0123456789abcdef0', ...member } }],
    }),
  },
  {
    operation: 'RegisterTaskDefinition',
    path: 'volumes.[].dockerVolumeConfiguration',
    acted: 'scope autoprovision driver driverOpts labels',
    request: (member) => ({ ...withContainer({}), volumes: [{ name: 'v', dockerVolumeConfiguration: member }] }),
  },
  {
    operation: 'RunTask',
    path: '',
    // A reference id is shown nowhere, on ECS neither.
    acted:
      'capacityProviderStrategy networkConfiguration platformVersion cluster count enableECSManagedTags enableExecuteCommand group launchType overrides placementConstraints placementStrategy propagateTags referenceId startedBy tags taskDefinition clientToken',
    request: (member) => ({ taskDefinition: 'app', ...member }),
  },
  {
    operation: 'RunTask',
    path: 'overrides',
    acted: 'containerOverrides cpu ephemeralStorage executionRoleArn memory taskRoleArn',
    request: (member) => ({ taskDefinition: 'app', overrides: member }),
  },
  {
    operation: 'RunTask',
    path: 'overrides.containerOverrides.[]',
    acted: 'name command environment environmentFiles cpu memory memoryReservation',
    request: (member) => ({
      taskDefinition: 'app',
      overrides: { containerOverrides: [{ name: 'main', ...member }] },
    }),
  },
  {
    operation: 'StartTask',
    path: '',
    acted:
      'cluster containerInstances networkConfiguration enableECSManagedTags enableExecuteCommand group overrides propagateTags referenceId startedBy tags taskDefinition',
    request: (member) => ({ taskDefinition: 'app', containerInstances: ['x'], ...member }),
  },
  {
    operation: 'CreateService',
    path: '',
    acted:
      'cluster serviceName taskDefinition capacityProviderStrategy networkConfiguration platformVersion availabilityZoneRebalancing desiredCount clientToken launchType deploymentConfiguration placementConstraints placementStrategy healthCheckGracePeriodSeconds loadBalancers schedulingStrategy deploymentController tags enableECSManagedTags enableExecuteCommand propagateTags serviceConnectConfiguration',
    request: (member) => ({ serviceName: 'other', ...service, ...member }),
  },
  {
    operation: 'UpdateService',
    path: '',
    acted:
      'cluster service desiredCount taskDefinition capacityProviderStrategy networkConfiguration platformVersion deploymentConfiguration availabilityZoneRebalancing placementConstraints placementStrategy forceNewDeployment healthCheckGracePeriodSeconds loadBalancers deploymentController enableECSManagedTags enableExecuteCommand propagateTags serviceConnectConfiguration',
    request: (member) => ({ service: 'web', ...member }),
  },
  {
    operation: 'CreateService',
    path: 'deploymentConfiguration',
    acted:
      'deploymentCircuitBreaker maximumPercent minimumHealthyPercent alarms strategy bakeTimeInMinutes lifecycleHooks linearConfiguration canaryConfiguration',
    request: (member) => ({ serviceName: 'other', ...service, deploymentConfiguration: member }),
  },
  {
    operation: 'CreateService',
    path: 'loadBalancers.[]',
    acted: 'targetGroupArn containerName containerPort advancedConfiguration',
    request: (member) => ({ serviceName: 'other', ...service, loadBalancers: [member] }),
  },
  {
    operation: 'CreateCluster',
    path: '',
    acted: 'clusterName tags settings configuration capacityProviders defaultCapacityProviderStrategy',
    request: (member) => ({ clusterName: 'other', ...member }),
  },
  {
    operation: 'UpdateCluster',
    path: '',
    acted: 'cluster settings configuration',
    request: (member) => ({ cluster: 'default', ...member }),
  },
  {
    operation: 'CreateCapacityProvider',
    path: '',
    acted: 'name autoScalingGroupProvider tags',
    request: (member) => ({ name: 'other', ...group, ...member }),
  },
  {
    operation: 'CreateCapacityProvider',
    path: 'autoScalingGroupProvider',
    acted: 'autoScalingGroupArn managedScaling managedTerminationProtection managedDraining',
    request: (member) => ({ name: 'other', autoScalingGroupProvider: { autoScalingGroupArn: 'hosts', ...member } }),
  },
  {
    operation: 'UpdateCapacityProvider',
    path: '',
    acted: 'name autoScalingGroupProvider',
    request: (member) => ({ name: 'own', ...member }),
  },
])('$operation $path', ({ operation, path, acted, request }) => {
  const members = new Map(shapeAt(operation, path).structIterator());
  const others = [...members.keys()].filter((name) => !acted.split(' ').includes(name));
  const send = (input: object): Promise<unknown> => {
    const Command = commands[operation as keyof typeof commands] as typeof sdk.RunTaskCommand;
    return api.ecs.send(new Command(input as never));
  };

  test('the members that are acted on are those of the API model', () => {
    expect(acted.split(' ').filter((name) => !members.has(name))).toEqual([]);
  });

  test.runIf(others.length > 0).each(others)('%s is refused by name', async (name) => {
    await expect(send(request({ [name]: sample(members.get(name) as Schema) }))).rejects.toThrow(
      new RegExp(`${name}'? .*not supported by this installation`),
    );
  });
});
