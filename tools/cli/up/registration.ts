import { createHash } from 'node:crypto';
import type { RegisterTaskDefinitionCommandInput, Secret, TaskDefinition } from '@aws-sdk/client-ecs';
import type { AppService } from './model.ts';

/** The tag of everything that `slipway up` makes: whose it is. */
export const projectTag = 'slipway:up';
/** The tag of a revision: what it was made of, so that a member that is gone is seen. */
export const stateTag = 'slipway:up-state';

/** What a revision needs that the file does not say. */
export interface Given {
  readonly project: string;
  readonly region: string;
  /** Images as hosts pull them, by container. */
  readonly images: ReadonlyMap<string, string>;
  /** ARNs of secrets by how the file names them. */
  readonly secrets: ReadonlyMap<string, string>;
  /** Who reads the secrets; needed where there are some. */
  readonly executionRoleArn?: string;
}

/** The revision that a service of the file is. */
export function registrationOf(
  { name, containers, volumes, cpu }: AppService,
  { project, region, images, secrets, executionRoleArn }: Given,
): RegisterTaskDefinitionCommandInput {
  const wanted = {
    family: name,
    networkMode: 'bridge' as const,
    containerDefinitions: containers.map(({ definition, secrets: named }) => {
      const own: Secret[] = Object.entries(named).map(([variable, secret]) => ({
        name: variable,
        valueFrom: secrets.get(secret) ?? secret,
      }));
      return {
        ...definition,
        image: images.get(definition.name) ?? '',
        ...(own.length === 0 ? {} : { secrets: own }),
        logConfiguration: {
          logDriver: 'awslogs' as const,
          options: { 'awslogs-group': project, 'awslogs-region': region, 'awslogs-stream-prefix': name },
        },
      };
    }),
    ...(volumes.length === 0 ? {} : { volumes: [...volumes] }),
    ...(cpu === undefined ? {} : { cpu: String(cpu) }),
    ...(executionRoleArn === undefined ? {} : { executionRoleArn }),
  };
  const state = createHash('sha256').update(canonical(wanted)).digest('hex').slice(0, 32);
  return {
    ...wanted,
    tags: [
      { key: projectTag, value: project },
      { key: stateTag, value: state },
    ],
  };
}

/** JSON with the members of objects in the order of their names. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
}

/**
 * What of a revision is not as it is wanted, in words: `image of web`. None when it is as wanted.
 * @param state the tag {@link stateTag} of the revision
 */
export function differences(
  wanted: RegisterTaskDefinitionCommandInput,
  now: TaskDefinition,
  state: string | undefined,
): readonly string[] {
  const told: string[] = [];
  const { containerDefinitions = [], tags = [], family: _family, ...rest } = wanted;
  for (const [member, value] of Object.entries(rest))
    if (!covers((now as Record<string, unknown>)[member], value)) told.push(member);
  const containers = new Map((now.containerDefinitions ?? []).map((one) => [one.name, one]));
  for (const container of containerDefinitions) {
    const current = containers.get(container.name) as Record<string, unknown> | undefined;
    containers.delete(container.name);
    if (current === undefined) told.push(`the container ${container.name ?? ''} is new`);
    else
      for (const [member, value] of Object.entries(container))
        if (!covers(current[member], value)) told.push(`${member} of ${container.name ?? ''}`);
  }
  for (const name of containers.keys()) told.push(`the container ${name ?? ''} is gone`);
  // Something that was asked for earlier is asked for no more, or others have changed the revision and taken its tags along.
  if (told.length === 0 && state !== tags.find(({ key }) => key === stateTag)?.value) told.push('less is said of it');
  return told;
}

/** Whether a value has all that another one says: ECS adds defaults. */
function covers(now: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return Array.isArray(now) && now.length === wanted.length && wanted.every((one, i) => covers(now[i], one));
  if (typeof wanted === 'object' && wanted !== null)
    return (
      typeof now === 'object' &&
      now !== null &&
      Object.entries(wanted).every(([member, value]) => covers((now as Record<string, unknown>)[member], value))
    );
  return now === wanted;
}
