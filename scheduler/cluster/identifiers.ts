import { parseArn as parseAnyArn } from '@slipway/auth/kit';

import { invalidParameter } from './errors.ts';

/** The cluster that is meant when a request names none. */
export const defaultCluster = 'default';

const names = /^[a-zA-Z0-9_-]{1,255}$/;

/** Whether the text can name a cluster, service or family: 1 to 255 letters, digits, `-` and `_`. */
export const isName = (text: string): boolean => names.test(text);

/** Where an identifier must live to be ours. */
export interface Home {
  readonly account: string;
  readonly region: string;
}

export interface ParsedArn {
  /** `cluster`, `service`, `task`, `container-instance`, `task-definition`, … */
  readonly type: string;
  /** What follows the type, split at slashes. */
  readonly path: readonly string[];
}

/**
 * An ECS ARN of this account and region.
 * @throws InvalidParameterException when it is malformed or belongs elsewhere
 */
export function parseArn(arn: string, home: Home): ParsedArn {
  const { service, region, account, resource = '' } = parseAnyArn(arn) ?? {};
  const [, type, path] = /^([a-z-]+)\/(.+)$/.exec(resource) ?? [];
  if (service !== 'ecs' || type === undefined || path === undefined)
    throw invalidParameter(`Invalid identifier: '${arn}' is not an ECS ARN.`);
  if (region !== home.region) {
    throw invalidParameter(`Invalid region in ARN '${arn}': this installation is ${home.region}.`);
  }
  if (account !== home.account) {
    throw invalidParameter(`Invalid account in ARN '${arn}': you are working in account ${home.account}.`);
  }
  return { type, path: path.split('/') };
}

/**
 * The name of a cluster from a name, an ARN, or nothing (`default`).
 * @throws InvalidParameterException
 */
export function parseCluster(identifier: string | undefined, home: Home): string {
  if (identifier === undefined || identifier === '') return defaultCluster;
  const name = identifier.startsWith('arn:') ? only(parseArn(identifier, home), 'cluster', identifier) : identifier;
  if (!isName(name)) {
    throw invalidParameter(`Invalid cluster name '${name}': use 1 to 255 letters, digits, hyphens and underscores.`);
  }
  return name;
}

/**
 * The last part of an identifier of something inside a cluster: a service's name, or a task's or instance's id.
 * Accepts the bare name, the long ARN (`type/cluster/name`) and the short ARN (`type/name`).
 * @throws InvalidParameterException when it is of another type or names another cluster
 */
export function parseMember(
  type: 'service' | 'task' | 'container-instance',
  identifier: string,
  cluster: string,
  home: Home,
): string {
  if (!identifier.startsWith('arn:')) return identifier;
  const arn = parseArn(identifier, home);
  if (arn.type !== type || arn.path.length > 2) {
    throw invalidParameter(`Identifier was not of type: ${type}: '${identifier}'.`);
  }
  const [first = '', second] = arn.path;
  if (second === undefined) return first;
  if (first !== cluster) throw invalidParameter(`Identifier is for cluster ${first}. Your cluster is ${cluster}`);
  return second;
}

function only(arn: ParsedArn, type: string, identifier: string): string {
  const [name, ...rest] = arn.path;
  if (arn.type !== type || name === undefined || rest.length > 0) {
    throw invalidParameter(`Identifier was not of type: ${type}: '${identifier}'.`);
  }
  return name;
}
