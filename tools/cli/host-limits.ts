import type { ContainerInstance } from '@aws-sdk/client-ecs';

/** What a host does not hold its tasks to, as a sentence; undefined when there is nothing to say. */
export function softLimits({ attributes = [], containerInstanceArn }: ContainerInstance): string | undefined {
  if (attributes.find(({ name }) => name === 'slipway.limits')?.value !== 'container') return undefined;
  return (
    `host ${containerInstanceArn?.split('/').at(-1) ?? ''} limits containers, not tasks: the containers of an EC2 task may together take ` +
    'more than its cpu and memory, and Fargate tasks of more than one container do not start there; the log of its agent says what is missing'
  );
}
