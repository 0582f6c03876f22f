import type { ContainerDefinition, RegisterTaskDefinitionCommandInput } from '@aws-sdk/client-ecs';

/** A definition of one container with these members. */
export const container = (members: Partial<ContainerDefinition>): Partial<RegisterTaskDefinitionCommandInput> => ({
  containerDefinitions: [{ name: 'main', image: 'busybox', memory: 64, ...members }],
});
