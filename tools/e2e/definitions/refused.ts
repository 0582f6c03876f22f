import type { RegisterTaskDefinitionRequest } from '@aws-sdk/client-ecs';
import { web } from './shape.ts';

const container = (more: Parameters<typeof web>[0]): RegisterTaskDefinitionRequest => ({
  family: 'refused',
  containerDefinitions: [web(more)],
});
const volume = (more: object): RegisterTaskDefinitionRequest => ({
  family: 'refused',
  containerDefinitions: [web()],
  volumes: [{ name: 'data', ...more }],
});
const fargate = (more: Parameters<typeof web>[0], task: object = {}): RegisterTaskDefinitionRequest => ({
  ...container(more),
  networkMode: 'awsvpc',
  requiresCompatibilities: ['FARGATE'],
  cpu: '256',
  memory: '512',
  ...task,
});

/** What public definitions have and nothing here acts on yet, and what ECS refuses too; each with what the answer says. */
export const refused: readonly (readonly [string, RegisterTaskDefinitionRequest, RegExp])[] = [
  [
    'a secret and no role to read it with',
    container({ secrets: [{ name: 'PASSWORD', valueFrom: 'arn:aws:secretsmanager:us-east-1:1:secret:db' }] }),
    /executionRoleArn/,
  ],
  [
    'an address of a log driver that is a secret',
    container({
      logConfiguration: { logDriver: 'splunk', secretOptions: [{ name: 'splunk-url', valueFrom: 'url' }] },
    }),
    /secretOptions/,
  ],
  [
    'a file of variables and no role to read it with',
    container({ environmentFiles: [{ type: 's3', value: 'arn:aws:s3:::shop/web.env' }] }),
    /executionRoleArn/,
  ],
  [
    'FireLens for nobody',
    container({ firelensConfiguration: { type: 'fluentbit' } }),
    /at least one container has to be configured with the awsfirelens log driver/,
  ],
  [
    'the log driver of FireLens without a router',
    container({ logConfiguration: { logDriver: 'awsfirelens' } }),
    /a firelens configuration object must be configured in one of the containers/,
  ],
  [
    'a GPU',
    container({ resourceRequirements: [{ type: 'GPU', value: '1' }] }),
    /resourceRequirements.*no GPUs.*a machine that has them/,
  ],
  [
    'an accelerator of Elastic Inference',
    container({ resourceRequirements: [{ type: 'InferenceAccelerator', value: 'device' }] }),
    /resourceRequirements.*accelerators.*run the work on the processor/,
  ],
  [
    'devices of Elastic Inference',
    { ...container({}), inferenceAccelerators: [{ deviceName: 'device', deviceType: 'eia2.medium' }] },
    /inferenceAccelerators.*Elastic Inference.*run inference on the processor/,
  ],
  [
    'an account of a Windows domain',
    container({ credentialSpecs: ['credentialspecdomainless:arn:aws:s3:::specs/app.json'] }),
    /credentialSpecs.*without domain accounts.*'secrets'/,
  ],
  ['fault injection', { ...container({}), enableFaultInjection: true }, /enableFaultInjection/],
  [
    'storage of Fargate on container instances',
    { ...container({}), ephemeralStorage: { sizeInGiB: 30 } },
    /of Fargate/,
  ],
  ['Fargate with too little storage', fargate({}, { ephemeralStorage: { sizeInGiB: 20 } }), /from 21 to 200/],
  ['Fargate with memory that containers share', fargate({}, { ipcMode: 'task' }), /ipcMode/],
  ['Fargate with the processes of its host', fargate({}, { pidMode: 'host' }), /pidMode 'host'/],
  [
    'the password of another registry that is no secret',
    container({ repositoryCredentials: { credentialsParameter: 'hub' } }),
    /repositoryCredentials/,
  ],
  [
    'App Mesh',
    { ...container({}), proxyConfiguration: { type: 'APPMESH', containerName: 'envoy' } },
    /proxyConfiguration.*as a container.*load balancer/,
  ],
  [
    'EFS with a root directory that leads up',
    volume({ efsVolumeConfiguration: { fileSystemId: 'fs-0123456789abcdef0', rootDirectory: '/..' } }),
    /rootDirectory/,
  ],
  [
    'Fargate with a Docker volume',
    { ...fargate({}), volumes: [{ name: 'v', dockerVolumeConfiguration: { scope: 'task' } }] },
    /dockerVolumeConfiguration/,
  ],
  [
    'FSx',
    volume({
      fsxWindowsFileServerVolumeConfiguration: {
        fileSystemId: 'fs-1',
        rootDirectory: '/',
        authorizationConfig: { credentialsParameter: 'a', domain: 'b' },
      },
    }),
    /fsxWindowsFileServerVolumeConfiguration.*Use an 'efsVolumeConfiguration'/,
  ],
  ['EBS', volume({ configuredAtLaunch: true }), /configuredAtLaunch.*Use an 'efsVolumeConfiguration'/],
  [
    'Windows',
    { ...container({}), runtimePlatform: { operatingSystemFamily: 'WINDOWS_SERVER_2022_CORE' } },
    /WINDOWS_SERVER_2022_CORE.*Use LINUX/,
  ],
  [
    'Fargate with a port of the host',
    fargate({ portMappings: [{ containerPort: 80, hostPort: 8080 }] }),
    /host ports and container ports in port mappings must match/,
  ],
  ['Fargate with privileges', fargate({ privileged: true }), /privileged/],
  ['Fargate without a size', fargate({}, { cpu: undefined }), /requires that 'cpu' be defined/],
  [
    'Fargate of a size that does not exist',
    fargate({}, { cpu: '512', memory: '512' }),
    /No Fargate configuration exists/,
  ],
  [
    'Fargate with a folder of the host',
    { ...fargate({}), volumes: [{ name: 'v', host: { sourcePath: '/srv' } }] },
    /sourcePath/,
  ],
  ['Fargate with shared memory', fargate({ linuxParameters: { sharedMemorySize: 64 } }), /sharedMemorySize/],
  ['Fargate with a capability', fargate({ linuxParameters: { capabilities: { add: ['NET_ADMIN'] } } }), /SYS_PTRACE/],
  ['awsvpc with links', { ...container({ links: ['web'] }), networkMode: 'awsvpc' }, /Links are not supported/],
  [
    'two names of one port',
    container({
      portMappings: [
        { name: 'a', containerPort: 80 },
        { name: 'a', containerPort: 81 },
      ],
    }),
    /port mapping name 'a' is used more than once/,
  ],
];
