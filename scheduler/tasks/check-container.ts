import { isIP } from 'node:net';

import type { ContainerDefinition, HealthCheck } from '@aws-sdk/client-ecs';

import { isName, refuseMembers } from '../cluster/index.ts';
import { fileFault } from './environment-files.ts';
import { checkLinux } from './check-linux.ts';
import { checkLog } from './check-log.ts';
import { checkSecrets } from './check-secrets.ts';
import type { TaskDefinitionBody } from './definition.ts';
import { checkOneOf, checkRange, refuse, refuseContainer } from './definition-error.ts';
import { notOffered } from './not-offered.ts';

const minimumMemory = 6;

/** @throws ClientException, InvalidParameterException when a container breaks a rule of its own or of its task */
export function checkContainer(container: ContainerDefinition, body: TaskDefinitionBody): void {
  const { name = '' } = container;
  if (!isName(name)) refuse(`Invalid container name '${name}': use 1 to 255 letters, digits, hyphens and underscores.`);
  refuseMembers(
    container,
    {
      resourceRequirements: notOffered.accelerators,
      credentialSpecs: notOffered.domainAccounts,
    },
    `containerDefinitions['${name}'].`,
  );
  checkImage(container);
  checkMemory(container, body);
  checkRange(name, 'cpu', container.cpu, 0, 196_608);
  checkRange(name, 'startTimeout', container.startTimeout, 1, 86_400);
  checkRange(name, 'stopTimeout', container.stopTimeout, 0, 86_400);
  checkOneOf(name, 'versionConsistency', container.versionConsistency, ['enabled', 'disabled']);
  for (const variable of container.environment ?? []) {
    if (variable.name === undefined || variable.name === '')
      refuseContainer(name, 'An environment variable needs a name.');
  }
  const paths = (container.mountPoints ?? []).map(({ containerPath }) => containerPath);
  const twice = paths.find((path, index) => path !== undefined && paths.indexOf(path) < index);
  if (twice !== undefined) refuseContainer(name, `Two volumes are mounted at '${twice}'.`);
  for (const { sourceVolume = '', containerPath } of container.mountPoints ?? []) {
    if (!(body.volumes ?? []).some((volume) => volume.name === sourceVolume))
      refuse(`Unknown volume '${sourceVolume}'.`);
    if (containerPath === undefined || containerPath === '')
      refuseContainer(name, `The mount point of volume '${sourceVolume}' needs a containerPath.`);
  }
  checkNetworking(container, body);
  if (container.healthCheck !== undefined) checkHealth(name, container.healthCheck);
  if (container.logConfiguration !== undefined) checkLog(name, container.logConfiguration);
  checkSecrets(container, body);
  const fault = fileFault(container.environmentFiles);
  if (fault !== undefined) refuseContainer(name, fault);
  if ((container.environmentFiles ?? []).length > 0 && !body.executionRoleArn)
    refuse("When you are specifying environment files, you must also specify a value for 'executionRoleArn'.");
  checkRestart(container);
  checkLinux(container, body);
}

function checkImage({ name, image }: ContainerDefinition): void {
  if (image === undefined || image === '') refuse('Container.image should not be null or empty.');
  if (!/^[\w\-:./#@]+$/.test(image))
    refuseContainer(name, `The image '${image}' has characters that image references do not have.`);
  if ((image.split('@', 1)[0] ?? '').length > 255)
    refuseContainer(name, 'The image reference is longer than 255 characters.');
}

/** Memory: at least one limit somewhere. How the limits go together is `sizeConflict`'s. */
function checkMemory(container: ContainerDefinition, body: TaskDefinitionBody): void {
  const { name, memory, memoryReservation } = container;
  if (memory === undefined && memoryReservation === undefined && body.memory === undefined) {
    refuseContainer(name, "At least one of 'memory' or 'memoryReservation' must be specified.");
  }
  checkRange(name, 'memory', memory, minimumMemory, 2 ** 31 - 1);
  checkRange(name, 'memoryReservation', memoryReservation, minimumMemory, 2 ** 31 - 1);
}

function checkNetworking(container: ContainerDefinition, body: TaskDefinitionBody): void {
  const { name, links = [], hostname, extraHosts = [], dnsServers = [], disableNetworking } = container;
  const mode = body.networkMode ?? 'bridge';
  if (links.length > 0 && mode !== 'bridge')
    refuseContainer(name, `Links are not supported with network mode '${mode}'.`);
  if (hostname !== undefined && (mode === 'host' || mode === 'awsvpc'))
    refuseContainer(name, `'hostname' is not supported with network mode '${mode}'.`);
  for (const link of links) {
    if (!/^[\w-]+(:[\w-]+)?$/.test(link))
      refuseContainer(name, `A link is 'container' or 'container:alias', not '${link}'.`);
  }
  for (const host of extraHosts) {
    if (!host.hostname || !host.ipAddress)
      refuseContainer(name, "Every entry of 'extraHosts' needs hostname and ipAddress.");
    // Docker's word for the address of the container instance itself.
    if (isIP(host.ipAddress) === 0 && host.ipAddress !== 'host-gateway')
      refuseContainer(name, `'extraHosts' needs IP addresses, not '${host.ipAddress}'.`);
  }
  for (const server of dnsServers) {
    if (isIP(server) === 0) refuseContainer(name, `A DNS server is an IP address, not '${server}'.`);
  }
  if (disableNetworking === true && (container.portMappings ?? []).length > 0) {
    refuseContainer(name, "Port mappings cannot be used with 'disableNetworking'.");
  }
}

function checkHealth(name: string, check: HealthCheck): void {
  const command = check.command ?? [];
  if (command[0] === 'NONE') refuseContainer(name, "A health check 'NONE' checks nothing: leave out 'healthCheck'.");
  if (command.length === 0 || (['CMD', 'CMD-SHELL'].includes(command[0] ?? '') && command.length < 2)) {
    refuseContainer(
      name,
      "The health check needs a command, such as ['CMD-SHELL', 'curl -f http://localhost/ || exit 1'].",
    );
  }
  if (command[0] === 'CMD-SHELL' && command.length > 2)
    refuseContainer(name, 'A health check of kind CMD-SHELL has one command line.');
  checkRange(name, 'healthCheck.interval', check.interval, 5, 300);
  checkRange(name, 'healthCheck.timeout', check.timeout, 2, 60);
  checkRange(name, 'healthCheck.retries', check.retries, 1, 10);
  checkRange(name, 'healthCheck.startPeriod', check.startPeriod, 0, 300);
}

function checkRestart({ name, restartPolicy: policy }: ContainerDefinition): void {
  if (policy === undefined) return;
  checkRange(name, 'restartPolicy.restartAttemptPeriod', policy.restartAttemptPeriod, 60, 1800);
  if ((policy.ignoredExitCodes?.length ?? 0) > 50) refuseContainer(name, "'ignoredExitCodes' has at most 50 entries.");
}
