import { z } from 'zod';

import { type ContainerSecrets, TaskSecretsRefused } from '../../hosts/control/index.ts';

/**
 * A member of a secret that is a JSON object: a text as it is, anything else as JSON has it.
 * @throws TaskSecretsRefused when there is none; no value is repeated
 */
export function jsonMember(arn: string, text: string, key: string): string {
  const object = objectOf(text);
  if (object === undefined)
    throw new TaskSecretsRefused(
      `secret ${arn}: the value is no JSON object, in which the key ${key} could be looked for`,
    );
  if (!Object.hasOwn(object, key))
    throw new TaskSecretsRefused(`retrieved secret from Secrets Manager did not contain json key ${key}`);
  const value = object[key];
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The user and the password of a registry. @throws TaskSecretsRefused when the secret has another form; no value is repeated */
export function readLogin(arn: string, text: string): NonNullable<ContainerSecrets['registry']> {
  const parsed = login.safeParse(objectOf(text));
  if (parsed.success) return parsed.data;
  throw new TaskSecretsRefused(
    `CannotPullContainerError: unable to unmarshal secret value, invalid schema: the secret ${arn} must be {"username": "…", "password": "…"}`,
  );
}

const login = z.object({ username: z.string().min(1), password: z.string() });

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
