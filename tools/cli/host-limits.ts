import type { ContainerInstance } from '@aws-sdk/client-ecs';

/** What a host does not hold its tasks to, in sentences; none when there is nothing to say. */
export function softLimits({ attributes = [], containerInstanceArn }: ContainerInstance): string[] {
  const value = (name: string): string | undefined => attributes.find((attribute) => attribute.name === name)?.value;
  const host = `host ${containerInstanceArn?.split('/').at(-1) ?? ''}`;
  return [
    ...(value('slipway.limits') === 'container'
      ? [
          `${host} limits containers, not tasks: the containers of an EC2 task may together take ` +
            'more than its cpu and memory, and Fargate tasks of more than one container do not start there; the log of its agent says what is missing',
        ]
      : []),
    ...(value('slipway.isolation') === 'none'
      ? [
          `${host} was told to isolate tasks of Fargate and cannot, so that none comes: the log of its agent says what is missing; ` +
            "register gvisor's runsc with its Docker engine, with --network=host, and start the agent again",
        ]
      : []),
    ...(value('slipway.isolation.containers') === 'one'
      ? [
          `${host} isolates tasks of Fargate by ${value('slipway.isolation')}, which runs tasks of one container; those of several do not start there`,
        ]
      : []),
    ...(value('slipway.storage') === 'counted' && attributes.some(({ name }) => name === 'slipway.capability.fargate')
      ? [
          `${host} limits the ephemeral storage of Fargate tasks softly: what they write is counted every 30 seconds, and who has more than its ` +
            "size is stopped; a limit that holds needs Docker's storage on xfs (mounted with pquota), btrfs or zfs",
        ]
      : []),
  ];
}
