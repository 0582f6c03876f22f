import type { RegisterTaskDefinitionRequest } from '@aws-sdk/client-ecs';

import { type EcsPorts, isName, refuseMembers } from '../cluster/index.ts';
import { refuseReach } from '../reach/index.ts';
import { checkContainer } from './check-container.ts';
import { fargateConflict } from './check-fargate.ts';
import { checkContainerOrder } from './check-order.ts';
import { checkPorts } from './check-ports.ts';
import { checkRouting } from './check-routing.ts';
import { checkVolumes } from './check-volumes.ts';
import { containersOf, type TaskDefinitionBody } from './definition.ts';
import { checkOneOf, checkUnique, refuse, refuseContainer } from './definition-error.ts';
import { storageConflict } from './ephemeral-storage.ts';
import { checkExpression } from './placement-rules.ts';
import { notOffered } from './not-offered.ts';
import { sizeConflict } from './size-conflict.ts';

const maximumBytes = 64 * 1024;

/**
 * Checks a request before it is normalised: what this installation does not do, and the limits of the request itself.
 * @throws ClientException, InvalidParameterException
 */
export function checkDefinitionRequest(input: RegisterTaskDefinitionRequest): void {
  if (!isName(input.family ?? '')) {
    refuse(`Invalid family name '${input.family ?? ''}': use 1 to 255 letters, digits, hyphens and underscores.`);
  }
  const bytes = Buffer.byteLength(JSON.stringify(input));
  if (bytes > maximumBytes) refuse(`A task definition has at most ${maximumBytes} bytes; this one has ${bytes}.`);
  refuseMembers(input, {
    proxyConfiguration: notOffered.proxies,
    inferenceAccelerators: notOffered.elasticInference,
    enableFaultInjection: 'Remove the member or set it to false.',
  });
  for (const compatibility of input.requiresCompatibilities ?? []) {
    if (compatibility !== 'EC2' && compatibility !== 'EXTERNAL' && compatibility !== 'FARGATE') {
      refuse(
        `Task definition requires compatibility ${compatibility}, which this installation does not offer: use EC2, FARGATE or EXTERNAL.`,
      );
    }
  }
  checkOneOf(undefined, 'networkMode', input.networkMode, ['bridge', 'host', 'none', 'awsvpc']);
}

/**
 * Checks a normalised definition: every rule of the "Task definition parameters" page that concerns Linux container
 * instances, across its containers, ports, volumes and the order of start.
 * @throws ClientException
 */
export function checkDefinition(body: TaskDefinitionBody): void {
  const containers = containersOf(body);
  if (containers.length === 0) refuse('Container list cannot be empty.');
  checkUnique(
    'container',
    containers.map(({ name }) => name),
  );
  if (!containers.some((container) => container.essential)) refuse('At least one container must be essential.');
  checkVolumes(body);
  for (const container of containers) checkContainer(container, body);
  const conflict = sizeConflict(body);
  if (conflict !== undefined) refuse(conflict);
  const fargate = (body.requiresCompatibilities ?? []).includes('FARGATE') ? fargateConflict(body) : undefined;
  if (fargate !== undefined) refuse(fargate);
  checkStorage(body);
  checkPorts(body);
  checkRouting(body);
  checkContainerOrder(containers);
  checkNamespaces(body);
  checkConstraints(body);
  for (const [member, arn] of [
    ['taskRoleArn', body.taskRoleArn],
    ['executionRoleArn', body.executionRoleArn],
  ] as const) {
    if (arn !== undefined && !isRoleArn(arn))
      refuse(`'${member}' must be the name or the ARN of an IAM role, not '${arn}'.`);
  }
}

/**
 * Checks where engines would have to connect to for a definition: for images and for logs. Settings can change after a
 * definition was registered, so it is checked again when something new is to run it.
 * @throws ClientException
 */
export function checkReach(ports: Pick<EcsPorts, 'reach'>, body: TaskDefinitionBody): void {
  for (const container of containersOf(body)) {
    const why = refuseReach(container, ports.reach);
    if (why !== undefined) refuseContainer(container.name, why);
  }
}

/** Whether the text is the ARN of an IAM role, with or without a path. */
export const isRoleArn = (text: string): boolean => /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(text);

function checkStorage(body: TaskDefinitionBody): void {
  if (body.ephemeralStorage === undefined) return;
  const conflict = storageConflict(body.ephemeralStorage);
  if (conflict !== undefined) refuse(conflict);
  const why = fargateConflict(body);
  if (why !== undefined) {
    refuse(
      `'ephemeralStorage' is only supported for tasks of Fargate. ${why} On container instances a task may use the disk of its host: remove the member.`,
    );
  }
}

function checkNamespaces(body: TaskDefinitionBody): void {
  checkOneOf(undefined, 'pidMode', body.pidMode, ['host', 'task']);
  checkOneOf(undefined, 'ipcMode', body.ipcMode, ['host', 'task', 'none']);
  const { cpuArchitecture, operatingSystemFamily } = body.runtimePlatform ?? {};
  checkOneOf(undefined, 'runtimePlatform.cpuArchitecture', cpuArchitecture, ['X86_64', 'ARM64']);
  if (operatingSystemFamily !== undefined && operatingSystemFamily !== 'LINUX') {
    refuse(
      `Operating system family '${operatingSystemFamily}' is not supported by this installation. Use LINUX, with an image of the program for it.`,
    );
  }
}

function checkConstraints(body: TaskDefinitionBody): void {
  const constraints = body.placementConstraints ?? [];
  if (constraints.length > 10) refuse('A task definition has at most 10 placement constraints.');
  for (const { type, expression } of constraints) {
    if (type !== 'memberOf')
      refuse(`Placement constraints of a task definition are of type memberOf, not '${String(type)}'.`);
    checkExpression(expression);
  }
}
