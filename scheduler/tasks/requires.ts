import type { ContainerDefinition, Secret } from '@aws-sdk/client-ecs';

import { containersOf, type TaskDefinitionBody } from './definition.ts';

const agent = 'com.amazonaws.ecs.capability';
const remoteApi = (version: string): string => `${agent}.docker-remote-api.${version}`;

/** The oldest Docker Engine API that knows each log driver. */
const logDriverApi: Readonly<Record<string, string>> = {
  'json-file': '1.18',
  syslog: '1.18',
  journald: '1.19',
  gelf: '1.20',
  fluentd: '1.20',
  awslogs: '1.19',
  splunk: '1.22',
  awsfirelens: '1.20',
};

/**
 * Attributes that an instance must have to run the task, sorted: the names under which an ECS agent registers what it
 * and its Docker engine can do. A definition that uses nothing special requires none.
 */
export function requiredAttributes(body: TaskDefinitionBody): string[] {
  const required = new Set<string>();
  const containers = containersOf(body);
  for (const container of containers) for (const name of ofContainer(container)) required.add(name);
  if (body.taskRoleArn !== undefined) {
    required.add(body.networkMode === 'host' ? `${agent}.task-iam-role-network-host` : `${agent}.task-iam-role`);
  }
  if (body.networkMode === 'awsvpc') required.add('ecs.capability.task-eni');
  if (body.pidMode !== undefined || body.ipcMode !== undefined) {
    required.add('ecs.capability.pid-ipc-namespace-sharing');
  }
  if (containers.some(({ image = '' }) => isEcrImage(image))) {
    required.add(`${agent}.ecr-auth`);
    if (body.executionRoleArn !== undefined) required.add('ecs.capability.execution-role-ecr-pull');
  }
  if (body.executionRoleArn !== undefined && containers.some(usesAwslogs)) {
    required.add('ecs.capability.execution-role-awslogs');
  }
  if (body.cpu !== undefined || body.memory !== undefined) required.add('ecs.capability.task-cpu-mem-limit');
  for (const { dockerVolumeConfiguration, efsVolumeConfiguration } of body.volumes ?? []) {
    if (efsVolumeConfiguration !== undefined) required.add('ecs.capability.efs');
    if (efsVolumeConfiguration?.authorizationConfig !== undefined) required.add('ecs.capability.efsAuth');
    if (dockerVolumeConfiguration !== undefined) {
      required.add(`ecs.capability.docker-plugin.${dockerVolumeConfiguration.driver ?? 'local'}`);
    }
  }
  return [...required].sort();
}

function ofContainer(container: ContainerDefinition): string[] {
  const { linuxParameters: linux, logConfiguration: log, dockerSecurityOptions: security = [] } = container;
  const rules: readonly (readonly [boolean, ...string[]])[] = [
    [container.privileged === true, `${agent}.privileged-container`],
    [(container.ulimits ?? []).length > 0, remoteApi('1.18')],
    [container.memoryReservation !== undefined, remoteApi('1.21')],
    [linux?.sharedMemorySize !== undefined || (linux?.tmpfs ?? []).length > 0, remoteApi('1.22')],
    [container.healthCheck !== undefined, remoteApi('1.24'), 'ecs.capability.container-health-check'],
    [linux?.initProcessEnabled === true, remoteApi('1.25')],
    [(container.dependsOn ?? []).length > 0, 'ecs.capability.container-ordering'],
    [container.restartPolicy?.enabled === true, 'ecs.capability.container-restart-policy'],
    [
      (container.portMappings ?? []).some((mapping) => mapping.containerPortRange !== undefined),
      'ecs.capability.network.container-port-range',
    ],
    [(container.environmentFiles ?? []).length > 0, 'ecs.capability.env-files.s3'],
    ...(['asm', 'ssm'] as const).flatMap((store) => [
      [
        (container.secrets ?? []).some((secret) => storeOf(secret) === store),
        `ecs.capability.secrets.${store}.environment-variables`,
      ] as const,
      [
        (log?.secretOptions ?? []).some((option) => storeOf(option) === store),
        `ecs.capability.secrets.${store}.bootstrap.log-driver`,
      ] as const,
    ]),
    ...routerRules(container),
    [container.repositoryCredentials !== undefined, `${agent}.private-registry-authentication.secretsmanager`],
    [security.some((option) => option.startsWith('label')), `${agent}.selinux`],
    [security.some((option) => option.startsWith('apparmor')), `${agent}.apparmor`],
  ];
  const names = rules.flatMap(([applies, ...attributes]) => (applies ? attributes : []));
  if (log?.logDriver !== undefined) {
    names.push(`${agent}.logging-driver.${log.logDriver}`, remoteApi(logDriverApi[log.logDriver] ?? '1.18'));
  }
  return names;
}

/** What the agent of a log router must know to do. */
function routerRules({ firelensConfiguration: router }: ContainerDefinition): (readonly [boolean, string])[] {
  if (router === undefined) return [];
  const file = router.options?.['config-file-type'];
  return [
    [true, `ecs.capability.firelens.${router.type ?? ''}`],
    [file !== undefined, `ecs.capability.firelens.options.config.${file ?? ''}`],
  ];
}

/** Secrets Manager, or Parameter Store. */
const storeOf = ({ valueFrom = '' }: Secret): 'asm' | 'ssm' => (valueFrom.includes(':secretsmanager:') ? 'asm' : 'ssm');

const usesAwslogs = (container: ContainerDefinition): boolean => container.logConfiguration?.logDriver === 'awslogs';

/** Whether an image is at one of AWS's own registries, by its name. */
export const isEcrImage = (image: string): boolean => /^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.[a-z0-9.-]+\//.test(image);
