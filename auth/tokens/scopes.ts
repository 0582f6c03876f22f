import { arnOf } from '../kit/index.ts';
import type { Scope } from '../contract/index.ts';
import { ScopeError } from './errors.ts';

const repositoryName = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const actionName = /^(?:[a-z]{1,20}|\*)$/;

/**
 * Reads the `scope` values of a token request (distribution's token specification); one value may hold several scopes
 * separated by spaces. Scopes of one repository are joined, unknown types are left out, as nothing is granted for them.
 * @param most scopes that the caller may ask for at once
 * @throws ScopeError for a text outside the grammar or more scopes
 */
export function parseScopes(values: readonly string[], most: number): readonly Scope[] {
  const scopes = new Map<string, Scope>();
  let count = 0;
  for (const value of values) {
    if (value.length > 32 * 1024) throw new ScopeError('the scope is too long');
    for (const text of value.split(' ')) {
      if (text === '') continue;
      if (++count > most) throw new ScopeError(`more than ${most} scopes`);
      const scope = parseScope(text);
      if (scope === undefined) continue;
      const key = `${scope.type}:${scope.name}`;
      const known = scopes.get(key);
      scopes.set(
        key,
        known === undefined ? scope : { ...scope, actions: [...new Set([...known.actions, ...scope.actions])] },
      );
    }
  }
  return [...scopes.values()];
}

/** Writes scopes back in the form they came in. */
export const formatScopes = (scopes: readonly Scope[]): string =>
  scopes.map(({ type, name, actions }) => `${type}:${name}:${actions.join(',')}`).join(' ');

function parseScope(text: string): Scope | undefined {
  const first = text.indexOf(':');
  const last = text.lastIndexOf(':');
  if (first <= 0 || last === first) throw new ScopeError('a scope must be <type>:<name>:<actions>');
  // `repository(plugin)` is the same resource with a class that we have no use for.
  const type = text.slice(0, first).replace(/\([a-z0-9]+\)$/, '');
  const name = text.slice(first + 1, last);
  const actions = text
    .slice(last + 1)
    .split(',')
    .filter((action) => action !== '');
  if (!/^[a-z0-9]+$/.test(type) || !actions.every((action) => actionName.test(action))) {
    throw new ScopeError('a scope must be <type>:<name>:<actions>');
  }
  if (type === 'registry') {
    if (name !== 'catalog') throw new ScopeError('the only registry scope is registry:catalog:*');
    return { type, name, actions };
  }
  if (type !== 'repository') return undefined;
  if (name.length > 256 || !repositoryName.test(name))
    throw new ScopeError('a scope names a repository that cannot exist');
  return { type, name, actions };
}

/**
 * What each docker action needs in ECR's terms. `needs` must all be allowed before the action is granted; `gives` is
 * what a token with the action may do at most (the caller's policies still decide each request).
 */
export const dockerActions: Readonly<
  Record<string, { readonly needs: readonly string[]; readonly gives: readonly string[] }>
> = {
  pull: {
    needs: ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
    gives: [
      'ecr:BatchGetImage',
      'ecr:GetDownloadUrlForLayer',
      'ecr:BatchCheckLayerAvailability',
      'ecr:ListImages',
      'ecr:DescribeImages',
      'ecr:ListImageReferrers',
      // What a pull through a cache does besides.
      'ecr:BatchImportUpstreamImage',
      'ecr:CreateRepository',
      'ecr:DescribePullThroughCacheRules',
    ],
  },
  push: {
    needs: ['ecr:InitiateLayerUpload', 'ecr:UploadLayerPart', 'ecr:CompleteLayerUpload', 'ecr:PutImage'],
    gives: [
      'ecr:InitiateLayerUpload',
      'ecr:UploadLayerPart',
      'ecr:CompleteLayerUpload',
      'ecr:PutImage',
      'ecr:BatchCheckLayerAvailability',
      'ecr:CreateRepository',
    ],
  },
  delete: { needs: ['ecr:BatchDeleteImage'], gives: ['ecr:BatchDeleteImage'] },
};

/** The docker actions behind a requested one: `*` is all of them, unknown ones are none. */
export function expandActions(actions: readonly string[]): readonly string[] {
  const expanded = actions.flatMap((action) => (action === '*' ? Object.keys(dockerActions) : [action]));
  return [...new Set(expanded)].filter((action) => Object.hasOwn(dockerActions, action));
}

/**
 * A token's scopes as a policy document that must allow whatever the token is used for.
 * @param region of the registry, for ARNs
 */
export function restrictionOf(scopes: readonly Scope[], region: string, account: string): string {
  const statements = scopes.map(({ type, name, actions }) =>
    type === 'registry'
      ? { Effect: 'Allow', Action: ['ecr:DescribeRepositories'], Resource: '*' }
      : {
          Effect: 'Allow',
          Action: [...new Set(expandActions(actions).flatMap((action) => dockerActions[action]?.gives ?? []))],
          // Account `*`: the token of an anonymous caller has none, and a repository's policy decides across accounts.
          Resource: arnOf({
            service: 'ecr',
            region,
            account: account === '' ? '*' : account,
            resource: `repository/${name}`,
          }),
        },
  );
  // A policy needs a statement; a token without scopes may do nothing.
  const none = { Effect: 'Deny', Action: '*', Resource: '*' };
  return JSON.stringify({ Version: '2012-10-17', Statement: statements.length > 0 ? statements : [none] });
}
