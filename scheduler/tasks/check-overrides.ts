import type { ContainerOverride, TaskOverride } from '@aws-sdk/client-ecs';

import { invalidParameter, refuseMembers } from '../cluster/index.ts';
import { isRoleArn } from './check-definition.ts';
import { containersOf, type TaskDefinitionBody } from './definition.ts';
import { fileFault } from './environment-files.ts';
import { storageConflict } from './ephemeral-storage.ts';
import { notOffered } from './not-offered.ts';
import { applyOverrides } from './overrides.ts';
import { sizeConflict } from './size-conflict.ts';
import { parseTaskCpu, parseTaskMemory } from './sizes.ts';

const maximumCharacters = 8192;

/**
 * Checks the overrides of RunTask and StartTask against the definition, and gives them back with sizes normalised.
 * Undefined when they override nothing.
 * @throws InvalidParameterException, ClientException
 */
export function checkOverrides(
  overrides: TaskOverride | undefined,
  body: TaskDefinitionBody,
): TaskOverride | undefined {
  if (overrides === undefined) return undefined;
  if (JSON.stringify(overrides).length > maximumCharacters) {
    throw invalidParameter(`Container Overrides length must be at most ${maximumCharacters}`);
  }
  refuseMembers(
    overrides,
    {
      inferenceAcceleratorOverrides: notOffered.elasticInference,
    },
    'overrides.',
  );
  const seen = new Set<string>();
  for (const override of overrides.containerOverrides ?? []) checkContainer(override, body, seen);
  for (const role of [overrides.taskRoleArn, overrides.executionRoleArn]) {
    if (role !== undefined && !isRoleArn(role))
      throw invalidParameter(`Role is not valid: '${role}' is not the name or the ARN of an IAM role.`);
  }
  const { cpu, memory, ...rest } = overrides;
  const checked: TaskOverride = {
    ...rest,
    ...(cpu === undefined ? {} : { cpu: parseTaskCpu(cpu) }),
    ...(memory === undefined ? {} : { memory: parseTaskMemory(memory) }),
  };
  if (Object.values(checked).every((value) => value === undefined)) return undefined;
  const storage = checked.ephemeralStorage && storageConflict(checked.ephemeralStorage);
  if (storage !== undefined) throw invalidParameter(storage);
  const conflict = sizeConflict(applyOverrides(body, checked));
  // Revisions registered before sizes were held against each other run as they are.
  if (conflict !== undefined && conflict !== sizeConflict(body)) throw invalidParameter(conflict);
  return checked;
}

function checkContainer(override: ContainerOverride, body: TaskDefinitionBody, seen: Set<string>): void {
  const { name = '' } = override;
  const container = containersOf(body).find((candidate) => candidate.name === name);
  if (container === undefined) {
    throw invalidParameter(`Override for container named ${name} is not a container in the TaskDefinition.`);
  }
  if (seen.has(name)) throw invalidParameter(`There are two overrides for container ${name}.`);
  seen.add(name);
  refuseMembers(
    override,
    {
      resourceRequirements: notOffered.accelerators,
    },
    `overrides.containerOverrides['${name}'].`,
  );
  const fault = fileFault(override.environmentFiles);
  if (fault !== undefined) throw invalidParameter(`The override of container ${name}: ${fault}`);
  for (const variable of override.environment ?? []) {
    if (!variable.name) throw invalidParameter(`An environment override of container ${name} needs a name.`);
  }
  for (const member of ['cpu', 'memory', 'memoryReservation'] as const) {
    const value = override[member];
    const least = member === 'cpu' ? 0 : 6;
    if (value !== undefined && (!Number.isInteger(value) || value < least)) {
      throw invalidParameter(
        `The ${member} override of container ${name} must be a whole number of at least ${least}.`,
      );
    }
  }
}
