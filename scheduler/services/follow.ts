import validRange from 'semver/ranges/valid.js';

import { invalidParameter } from '../cluster/index.ts';
import { hasTaskSets, rebalanceTag } from '../deployments/index.ts';
import type { Delegate, FollowRule, ServiceRecord, Tags } from '../state/index.ts';
import { judgedAsTagged } from './judge.ts';
import { checkRestart } from './restart.ts';

import { checkRebalanceTag } from './rebalancing.ts';

/** The tag on a service that says which pushes roll it, so that every client of the API can set it. */
export const followTag = 'slipway:follow';

/** A glob over image tags: `*` is any run of characters, `?` is one, the rest are characters of image tags. */
const glob = /^[\w.*?-]{1,128}$/;

/**
 * The rule a value of the tag `slipway:follow` stands for: `true` (the tags that the task definition names),
 * `pattern:<glob>` or `semver:<range>`; `false` is no rule.
 * @throws InvalidParameterException for any other text
 */
export function parseFollow(value: string): FollowRule | undefined {
  if (value === 'true') return { mode: 'tags' };
  if (value === 'false') return undefined;
  const [, mode, argument = ''] = /^(pattern|semver):(.*)$/s.exec(value) ?? [];
  if (mode === 'pattern' && glob.test(argument)) return { mode, pattern: argument };
  if (mode === 'semver' && validRange(argument) !== null && argument.trim() !== '') return { mode, range: argument };
  throw invalidParameter(
    `Invalid value '${value}' of tag '${followTag}': use 'true' to follow the tags that the task definition names, ` +
      `'pattern:<glob>' (for example pattern:v*), 'semver:<range>' (for example semver:^1.2), or 'false'.`,
  );
}

/** The value of the tag that stands for a rule. */
export function formatFollow(rule: FollowRule): string {
  switch (rule.mode) {
    case 'tags':
      return 'true';
    case 'pattern':
      return `pattern:${rule.pattern}`;
    case 'semver':
      return `semver:${rule.range}`;
  }
}

/**
 * The service with other tags, and what it follows and how it is judged as they say.
 * @param by who set or removed `slipway:follow`, and whose rights the rule has from now on; undefined when the change is not about it
 * @throws InvalidParameterException when `slipway:follow` or `slipway:judge` has no valid value, or its task sets are made by somebody else
 */
export function withTags(service: ServiceRecord, tags: Tags, by: Delegate | undefined): ServiceRecord {
  const value = tags[followTag];
  const follow = value === undefined ? undefined : parseFollow(value);
  if (follow !== undefined && hasTaskSets(service))
    throw invalidParameter(
      `A service with the deployment controller EXTERNAL follows no image: its controller makes task sets. Remove the tag '${followTag}'.`,
    );
  if (follow !== undefined && service.controller === 'CODE_DEPLOY')
    throw invalidParameter(
      `A service with the deployment controller CODE_DEPLOY follows no image: whoever pushes calls CreateDeployment. Remove the tag '${followTag}'.`,
    );
  checkRestart({ ...service, tags });
  if (tags[rebalanceTag] !== service.tags[rebalanceTag]) checkRebalanceTag(tags, service);
  const { follow: _, followedBy: before, ...rest } = service;
  const followedBy = by ?? before;
  return judgedAsTagged({
    ...rest,
    tags,
    ...(follow === undefined ? {} : { follow, ...(followedBy === undefined ? {} : { followedBy }) }),
    version: service.version + 1,
  });
}
