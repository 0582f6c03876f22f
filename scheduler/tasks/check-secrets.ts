import type { ContainerDefinition, Secret } from '@aws-sdk/client-ecs';
import { parseArn } from '@slipway/auth/kit';

import type { TaskDefinitionBody } from './definition.ts';
import { refuse, refuseContainer } from './definition-error.ts';

/** Options of log drivers that may be secrets: what the others are for is an address or a name. */
const secretOptions: Readonly<Record<string, readonly string[]>> = { splunk: ['splunk-token'] };

/**
 * Checks what a container is to be given of secrets and parameters. Whether they exist, and its execution role may read them, is seen when a
 * task starts.
 * @throws ClientException
 */
export function checkSecrets(container: ContainerDefinition, body: TaskDefinitionBody): void {
  const { name, secrets = [], environment = [], logConfiguration, repositoryCredentials } = container;
  const options = logConfiguration?.secretOptions ?? [];
  const login = repositoryCredentials?.credentialsParameter;
  const taken = new Set(environment.map((variable) => variable.name));
  for (const secret of secrets) {
    checkSource(name, 'secrets', secret);
    // Docker refuses a variable without a name, and repeats it with its value.
    if (/[=\0]/.test(secret.name ?? ''))
      refuseContainer(
        name,
        `The name of a secret is that of a variable: '${secret.name}' has a character that none has.`,
      );
    if (taken.has(secret.name))
      refuse(
        `The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '${secret.name}'.`,
      );
    taken.add(secret.name);
  }
  const allowed = secretOptions[logConfiguration?.logDriver ?? ''] ?? [];
  const routed = logConfiguration?.logDriver === 'awsfirelens';
  // Names of the router's variables are made of them.
  const twice = options.find(({ name: option }, at) => options.findIndex((other) => other.name === option) < at);
  if (twice !== undefined) refuseContainer(name, `The log option '${twice.name}' is in 'secretOptions' twice.`);
  for (const option of options) {
    checkSource(name, 'secretOptions', option);
    // Which ones a log router takes, `checkRouting` says.
    if (!routed && !allowed.includes(option.name ?? ''))
      refuseContainer(
        name,
        `The option '${option.name}' of log driver '${logConfiguration?.logDriver}' cannot be one of 'secretOptions': only splunk-token of splunk and those of awsfirelens can. Give it in 'options'.`,
      );
    if (logConfiguration?.options?.[option.name ?? ''] !== undefined)
      refuseContainer(name, `The log option '${option.name}' is in 'options' and in 'secretOptions'.`);
  }
  if (repositoryCredentials !== undefined && parseArn(login ?? '')?.service !== 'secretsmanager')
    refuseContainer(
      name,
      "'repositoryCredentials.credentialsParameter' must be the ARN of a secret of Secrets Manager.",
    );
  if ((secrets.length > 0 || options.length > 0 || login !== undefined) && !body.executionRoleArn)
    refuse("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.");
}

function checkSource(container: string | undefined, member: string, { name, valueFrom }: Secret): void {
  if (!name || !valueFrom) refuseContainer(container, `Every entry of '${member}' needs a name and a valueFrom.`);
  if (!valueFrom.startsWith('arn:')) return;
  const arn = parseArn(valueFrom);
  if (arn?.service === 'ssm' && arn.resource.startsWith('parameter/')) return;
  // The ARN itself, or with a JSON key, a label and a version behind it, which may be empty.
  if (arn?.service === 'secretsmanager' && /^secret:[^:]+(?::[^:]*:[^:]*:[^:]*)?$/.test(arn.resource)) return;
  refuseContainer(
    container,
    `'${valueFrom}' in '${member}' is neither the ARN of a parameter nor of a secret, which may end in ':<JSON key>:<label>:<version>'.`,
  );
}
