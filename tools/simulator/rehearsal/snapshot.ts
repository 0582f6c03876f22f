import { z } from 'zod';
import { CliError } from '../../cli/errors.ts';

/** More than this no text of a snapshot is read: a snapshot of the largest cluster that is played is a tenth of it. */
const largestText = 64 * 2 ** 20;
/** The largest cluster that is played: every agent is played as well, and a minute of it should not take an hour. */
export const largest = { instances: 1_000, tasks: 10_000, services: 1_000, definitions: 2_000 } as const;

const name = z.string().regex(/^[\w-]{1,255}$/, 'letters, digits, hyphens and underscores');
const text = z.string().max(4_096);
const whole = z.number().int().min(0).max(2_147_483_647);
const revision = z.string().regex(/^[\w-]{1,255}:\d{1,10}$/, 'FAMILY:REVISION');
const constraint = z.strictObject({ type: text, expression: text.optional() });

const container = z.strictObject({
  name,
  image: z.string().min(1).max(1_024),
  essential: z.boolean(),
  cpu: whole.optional(),
  memory: whole.optional(),
  memoryReservation: whole.optional(),
  ports: z
    .array(z.strictObject({ containerPort: whole, hostPort: whole, protocol: z.enum(['tcp', 'udp']) }))
    .max(200)
    .default([]),
  /** How often a check is made, seconds; not what it runs. */
  healthCheck: z
    .strictObject({ interval: whole, timeout: whole, retries: whole, startPeriod: whole.optional() })
    .optional(),
  dependsOn: z
    .array(z.strictObject({ container: name, condition: z.enum(['START', 'COMPLETE', 'SUCCESS', 'HEALTHY']) }))
    .max(100)
    .default([]),
  stopTimeout: whole.optional(),
});

const snapshot = z.strictObject({
  format: z.literal('slipway cluster snapshot'),
  version: z.literal(1),
  takenAt: text,
  cluster: name,
  instances: z
    .array(
      z.strictObject({
        id: name,
        status: z.enum(['ACTIVE', 'DRAINING']),
        agentConnected: z.boolean(),
        /** CPU units and MiB that tasks may reserve. */
        cpu: whole.min(1),
        memory: whole.min(4),
        attributes: z.record(text, text),
      }),
    )
    .max(largest.instances),
  definitions: z
    .array(
      z.strictObject({
        name: revision,
        networkMode: z.enum(['bridge', 'host', 'none']).optional(),
        cpu: text.optional(),
        memory: text.optional(),
        constraints: z.array(constraint).max(10).default([]),
        /** Names of attributes that an instance must have. */
        requires: z.array(text).max(500).default([]),
        containers: z.array(container).min(1).max(100),
      }),
    )
    .max(largest.definitions),
  services: z
    .array(
      z.strictObject({
        name,
        definition: revision,
        strategy: z.enum(['REPLICA', 'DAEMON']),
        desiredCount: whole,
        minimumHealthyPercent: whole,
        maximumPercent: whole,
        circuitBreaker: z
          .strictObject({
            rollback: z.boolean(),
            resetOnHealthyTask: z.boolean().optional(),
            threshold: z.strictObject({ type: text, value: whole }).optional(),
          })
          .optional(),
        graceSeconds: whole.optional(),
        constraints: z.array(constraint).max(10).default([]),
        placement: z
          .array(z.strictObject({ type: text, field: text.optional() }))
          .max(5)
          .default([]),
        /** The value of the tag `slipway:follow`. */
        follow: text.optional(),
        /** Whether its zones are evened out; of older snapshots none are. */
        evensZones: z.boolean().optional(),
      }),
    )
    .max(largest.services),
  tasks: z
    .array(z.strictObject({ id: name, instance: name, definition: revision, service: name.optional() }))
    .max(largest.tasks),
});

/** A cluster as its ECS API tells of it, without anything secret: no environment, commands, roles or tag values but `slipway:follow`. */
export type Snapshot = z.infer<typeof snapshot>;

/**
 * Reads a snapshot that {@link takeSnapshot} wrote, or a person changed.
 * @param from how the file is called in messages
 * @throws CliError (exit code 2) that says what is wrong where
 */
export function parseSnapshot(from: string, written: string): Snapshot {
  const wrong = (why: string): CliError =>
    new CliError(`${from} is not a snapshot that can be played: ${why}. Take one with slipway simulate snapshot`, 2);
  if (written.length > largestText) throw wrong(`it is larger than ${largestText / 2 ** 20} MiB`);
  let value: unknown;
  try {
    value = JSON.parse(written);
  } catch (error) {
    throw wrong((error as Error).message);
  }
  const parsed = snapshot.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw wrong(`${issue?.path.join('.') || 'the whole'}: ${issue?.message ?? 'unknown'}`);
  }
  const problem = contradiction(parsed.data);
  if (problem !== undefined) throw wrong(problem);
  return parsed.data;
}

/** What the parts of a snapshot say of each other that cannot be; undefined when all fits. */
function contradiction({ instances, definitions, services, tasks }: Snapshot): string | undefined {
  const lists = { instances: instances.map(({ id }) => id), tasks: tasks.map(({ id }) => id) };
  const named = { definitions: definitions.map((one) => one.name), services: services.map((one) => one.name) };
  for (const [list, names] of Object.entries({ ...lists, ...named })) {
    const seen = new Set<string>();
    for (const one of names) {
      if (seen.has(one)) return `${list} has ${one} twice`;
      seen.add(one);
    }
  }
  const known = new Set(named.definitions);
  for (const { name: service, definition } of services)
    if (!known.has(definition))
      return `the service ${service} has the task definition ${definition}, which is not there`;
  const hosts = new Set(lists.instances);
  const owners = new Set(named.services);
  for (const { id, instance, definition, service } of tasks) {
    if (!hosts.has(instance)) return `the task ${id} is on the instance ${instance}, which is not there`;
    if (!known.has(definition)) return `the task ${id} has the task definition ${definition}, which is not there`;
    if (service !== undefined && !owners.has(service))
      return `the task ${id} is of the service ${service}, which is not there`;
  }
  return undefined;
}
