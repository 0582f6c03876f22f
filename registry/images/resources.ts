import { arnOf } from '@slipway/auth/kit';
import type { Images } from './images.ts';
import type { RegistryRecord, RepositoryRecord } from './records.ts';

/** What authorization must know of a repository. */
export interface RepositoryResource {
  readonly arn: string;
  readonly policy?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** What strangers may do, where the repository is public. */
  readonly open?: readonly string[];
}

/** How long another server's change of the registry's own policy may go unnoticed here. Milliseconds. */
const registryAge = 1000;

/** Actions that the registry's policy decides on in its narrow scope, `V1` (ECR user guide, "Registry permissions"). */
const narrowScope = new Set(['ecr:CreateRepository', 'ecr:ReplicateImage', 'ecr:BatchImportUpstreamImage']);

/** What everybody may do with a public repository, unless its own policy or the registry's denies it. */
const publicActions: readonly string[] = [
  'ecr:BatchGetImage',
  'ecr:GetDownloadUrlForLayer',
  'ecr:BatchCheckLayerAvailability',
];

/** Describes repositories to the authorizer: ARN, tags, and the policies of the repository and of the registry it is in. */
export interface Resources {
  of(
    account: string,
    name: string,
    repository: RepositoryRecord | undefined,
    action: string,
  ): Promise<RepositoryResource>;
  /** As {@link of}, for a repository that is looked up first and may not exist. */
  find(account: string, name: string, action?: string): Promise<RepositoryResource>;
  /** The registry as a whole (`*` is what its actions are granted on). */
  arn(account: string, name: string): string;
}

export function createResources(images: Images, region: string): Resources {
  const { clock } = images.ports;
  const registries = new Map<string, { readonly until: number; readonly registry: RegistryRecord }>();
  const merged = new Map<string, string>();

  const registryOf = async (account: string): Promise<RegistryRecord> => {
    const known = registries.get(account);
    if (known !== undefined && known.until > clock.monotonic()) return known.registry;
    const registry = await images.repositories.registry(account);
    if (registries.size > 10_000) registries.clear();
    registries.set(account, { until: clock.monotonic() + registryAge, registry });
    return registry;
  };

  /** Both policies attach to the resource: one allows as well as the other, and each one's denials hold. */
  const merge = (first: string, second: string): string => {
    const name = JSON.stringify([first, second]);
    const known = merged.get(name);
    if (known !== undefined) return known;
    const statements = [first, second].flatMap((text) => (JSON.parse(text) as { Statement: unknown }).Statement);
    const policy = JSON.stringify({ Version: '2012-10-17', Statement: statements });
    if (merged.size > 1000) merged.clear();
    merged.set(name, policy);
    return policy;
  };

  const arn = (account: string, name: string): string =>
    arnOf({ service: 'ecr', region, account, resource: `repository/${name}` });
  const resources: Resources = {
    arn,
    async of(account, name, repository, action) {
      const registry = await registryOf(account);
      const applies = registry.settings?.['REGISTRY_POLICY_SCOPE'] !== 'V1' || narrowScope.has(action);
      const policies = [repository?.policy, applies ? registry.policy : undefined];
      const [first, ...rest] = policies.filter((text) => text !== undefined);
      return {
        arn: arn(account, name),
        ...(first === undefined ? {} : { policy: rest.reduce(merge, first) }),
        ...(repository ? { tags: repository.tags } : {}),
        ...(repository?.public ? { open: publicActions } : {}),
      };
    },
    find: async (account, name, action = '') =>
      resources.of(account, name, await images.repositories.find(account, name), action),
  };
  return resources;
}
