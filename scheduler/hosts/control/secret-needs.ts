import type { ContainerDefinition } from '@aws-sdk/client-ecs';

import { containersOf, type TaskDefinitionBody } from '../../tasks/index.ts';

import type { SecretNeed } from './options.ts';

/** Attribute of hosts whose agents are sent values; others read them with the credentials of the execution role. */
export const secretsAttribute = 'slipway.capability.secret-values';

/** What the containers of a definition need of secrets and parameters. */
export const secretNeeds = (body: TaskDefinitionBody): SecretNeed[] => containersOf(body).flatMap(needsOf);

function needsOf(container: ContainerDefinition): SecretNeed[] {
  const { name = '', secrets = [], environment = [], environmentFiles = [] } = container;
  const { logConfiguration, repositoryCredentials, firelensConfiguration } = container;
  const need = (kind: SecretNeed['kind'], variable: string | undefined, valueFrom: string | undefined): SecretNeed => ({
    container: name,
    kind,
    name: variable ?? '',
    valueFrom: valueFrom ?? '',
  });
  const login = repositoryCredentials?.credentialsParameter;
  const { 'config-file-type': type, 'config-file-value': file } = firelensConfiguration?.options ?? {};
  const taken = [...environment, ...secrets].map((variable) => variable.name ?? '');
  return [
    ...environmentFiles.map(({ value }) => ({ ...need('file', '', value), taken })),
    ...secrets.map((secret) => need('environment', secret.name, secret.valueFrom)),
    ...(logConfiguration?.secretOptions ?? []).map((option) => need('log', option.name, option.valueFrom)),
    ...(login === undefined ? [] : [need('registry', '', login)]),
    ...(type === 's3' ? [need('router', '', file)] : []),
  ];
}
