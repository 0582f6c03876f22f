/** Random bytes, injected: `randomBytes` of `node:crypto` in production, a seeded generator in simulation and tests. */
export type RandomBytes = (size: number) => Uint8Array;

/** The id of a task or container instance: 32 hexadecimal digits. */
export const newId = (random: RandomBytes): string => Buffer.from(random(16)).toString('hex');

/** The id of an event: a version 4 UUID, as in `events[].id` of DescribeServices. */
export function newEventId(random: RandomBytes): string {
  const bytes = Buffer.from(random(16));
  bytes[6] = (bytes.readUInt8(6) & 0x0f) | 0x40;
  bytes[8] = (bytes.readUInt8(8) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** A number of 19 digits below 2^63, as ECS uses for deployments and service revisions. */
export function newNumber(random: RandomBytes): string {
  const base = 1_000_000_000_000_000_000n;
  return String(base + (Buffer.from(random(8)).readBigUInt64BE() % (8n * base)));
}

/** The id of a deployment: `ecs-svc/<19 digits>`. */
export const newDeploymentId = (random: RandomBytes): string => `ecs-svc/${newNumber(random)}`;

/** The id under which EC2 and ELB would know a container instance: the beginning of its own. */
export const ec2InstanceId = (id: string): string => `i-${id.slice(0, 17)}`;

/** The last part of an ARN with slashes: the id of a task, instance or service. */
export const idOf = (arn: string): string => arn.slice(arn.lastIndexOf('/') + 1);
