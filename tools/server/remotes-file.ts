import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError } from './config.ts';

const origin = z
  .url({ protocol: /^https?$/ })
  .refine((text) => new URL(text).pathname === '/' && new URL(text).search === '', 'must be a scheme and an authority');

const schema = z.strictObject({
  /** Credentials for upstream registries, by the name of the secret that a cache rule's `credentialArn` names. */
  upstreamSecrets: z
    .record(
      z.string().regex(/^ecr-pullthroughcache\/[a-zA-Z0-9/_+=.@-]+$/, 'must begin with ecr-pullthroughcache/'),
      z.strictObject({ username: z.string().min(1), accessToken: z.string().min(1) }),
    )
    .default({}),
  /** Upstream registries beside the public ones: the host that rules name, and where it is reached. */
  upstreamHosts: z.record(z.string().regex(/^[a-z0-9.-]+(?::\d+)?$/), origin).default({}),
  /** The installations that destinations of replication mean. */
  replicationTargets: z
    .array(
      z.strictObject({
        region: z.string().regex(/^[0-9a-z-]{2,25}$/),
        registryId: z.string().regex(/^\d{12}$/),
        url: origin,
        accessKeyId: z.string().min(1),
        secretAccessKey: z.string().min(1),
        signingRegion: z.string().min(2).optional(),
      }),
    )
    .default([]),
});

/** What is known of other registries, secrets included. */
export type Remotes = z.output<typeof schema>;

/**
 * Reads the file that SLIPWAY_REMOTES_FILE names; without one, no other registry is known.
 * @throws ConfigError which names the member, and never shows what the file holds
 */
export function readRemotes(path: string | undefined): Remotes {
  if (path === undefined) return schema.parse({});
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'it is not JSON' : (error as Error).message;
    throw new ConfigError(`SLIPWAY_REMOTES_FILE: ${path} cannot be used: ${reason}`);
  }
  const parsed = schema.safeParse(document);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`);
  throw new ConfigError(`SLIPWAY_REMOTES_FILE: ${path} cannot be used:\n  ${problems.join('\n  ')}`);
}
