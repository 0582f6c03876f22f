import type { EnvironmentFile } from '@aws-sdk/client-ecs';

const mostFiles = 10;

/**
 * What is wrong with a container's files of variables (ECS developer guide, "Pass environment variables to an Amazon ECS container"), if
 * anything is. Whether they exist, and its execution role may read them, is seen when a task starts.
 */
export function fileFault(files: readonly EnvironmentFile[] | undefined): string | undefined {
  if (files === undefined) return undefined;
  if (files.length > mostFiles) return `there are at most ${mostFiles} environment files.`;
  for (const { type, value = '' } of files) {
    if (type !== 's3') return `an environment file of type '${type}' is not supported: the type is s3.`;
    const [, key] = /^arn:aws[\w-]*:s3:::[^/]{3,63}\/(.+)$/.exec(value) ?? [];
    if (key === undefined) return `'${value}' is not the ARN of an object: arn:aws:s3:::bucket/name.env.`;
    if (!key.endsWith('.env')) return `the environment file '${value}' must end in .env.`;
  }
  return undefined;
}
