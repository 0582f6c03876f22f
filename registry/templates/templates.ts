import { type Json, transact } from '@slipway/storage/records';
import {
  type Images,
  type NewRepository,
  registryPartition,
  type RepositoryName,
  type RepositoryRecord,
} from '../images/index.ts';
import { templateKeys } from './keys.ts';

/** Why a repository is made without anybody asking for it by name. */
export type CreationReason = 'CREATE_ON_PUSH' | 'PULL_THROUGH_CACHE' | 'REPLICATION';

/** How repositories under a prefix are set up when they are made (ECR user guide, "Repository creation templates"). */
export interface CreationTemplate {
  /** Without a slash at its end; `ROOT` is for every name that no other template is for. */
  readonly prefix: string;
  readonly appliedFor: readonly CreationReason[];
  readonly description?: string;
  readonly tagMutability: RepositoryRecord['tagMutability'];
  readonly tagExclusions?: RepositoryRecord['tagExclusions'];
  readonly tags: Readonly<Record<string, string>>;
  readonly policy?: string;
  readonly lifecyclePolicy?: string;
  /** In whose name the repository is made. */
  readonly customRoleArn?: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface Templates {
  find(account: string, prefix: string): Promise<CreationTemplate | undefined>;
  /** Ordered by prefix. */
  list(account: string, page: { readonly after?: string; readonly limit: number }): Promise<TemplatePage>;
  /** Makes, changes (`undefined` before: there is none) or removes (`undefined` after). Throws what `change` throws. */
  change(
    account: string,
    prefix: string,
    change: (template: CreationTemplate | undefined) => CreationTemplate | undefined,
  ): Promise<void>;
  /** The repository, made first when it is not there: as the template for its name says, otherwise with ECR's defaults. */
  ensure(account: string, name: RepositoryName, reason: CreationReason, actor: string): Promise<RepositoryRecord>;
}

interface TemplatePage {
  readonly templates: readonly CreationTemplate[];
  readonly more: boolean;
}

export function createTemplates(images: Images): Templates {
  const { records } = images.ports;
  const templates: Templates = {
    find: async (account, prefix) =>
      (await records.get<CreationTemplate>(registryPartition(account), templateKeys.template(prefix)))?.value,
    async list(account, { after, limit }) {
      const page = await records.list<CreationTemplate>(registryPartition(account), {
        prefix: templateKeys.all,
        limit,
        ...(after === undefined ? {} : { after: templateKeys.template(after) }),
      });
      return { templates: page.records.map(({ value }) => value), more: page.more };
    },
    change: (account, prefix, change) =>
      transact(records, registryPartition(account), async (tx) => {
        const next = change(await tx.get<CreationTemplate>(templateKeys.template(prefix)));
        if (next === undefined) tx.remove(templateKeys.template(prefix));
        else tx.put(templateKeys.template(prefix), next as unknown as Json);
      }),
    async ensure(account, name, reason, actor) {
      const template = await templateFor(account, name, reason);
      return images.repositories.ensure(account, repositoryFrom(name, template), template?.customRoleArn ?? actor);
    },
  };

  const templateFor = async (
    account: string,
    name: string,
    reason: CreationReason,
  ): Promise<CreationTemplate | undefined> => {
    const candidates: CreationTemplate[] = [];
    for (const prefix of [...pathPrefixes(name), 'ROOT']) {
      const template = await templates.find(account, prefix);
      if (template?.appliedFor.includes(reason)) candidates.push(template);
    }
    return longestPrefix(candidates, name);
  };
  return templates;
}

/** `a/b/c` -> `a/b/c`, `a/b`, `a`. */
const pathPrefixes = (name: string): string[] =>
  name.split('/').map((_part, position, parts) => parts.slice(0, parts.length - position).join('/'));

/** Of rules with prefixes, the one that is most about a name: a prefix ends where a part of the name ends; `ROOT` comes last. */
export function longestPrefix<Rule extends { readonly prefix: string }>(
  rules: readonly Rule[],
  name: string,
): Rule | undefined {
  const fitting = rules.filter(
    ({ prefix }) => prefix === 'ROOT' || name === prefix || name.startsWith(`${prefix.replace(/\/$/, '')}/`),
  );
  const weight = ({ prefix }: Rule): number => (prefix === 'ROOT' ? 0 : prefix.length);
  return fitting.toSorted((a, b) => weight(b) - weight(a))[0];
}

const repositoryFrom = (name: RepositoryName, template: CreationTemplate | undefined): NewRepository => ({
  name,
  ...(template === undefined
    ? {}
    : {
        tagMutability: template.tagMutability,
        ...(template.tagExclusions ? { tagExclusions: template.tagExclusions } : {}),
        tags: template.tags,
        ...(template.policy ? { policy: template.policy } : {}),
        ...(template.lifecyclePolicy ? { lifecyclePolicy: template.lifecyclePolicy } : {}),
      }),
});
