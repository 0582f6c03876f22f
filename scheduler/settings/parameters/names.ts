import { AwsError } from '@slipway/auth/contract';
import { arnOf, parseArn } from '@slipway/auth/kit';

import { validation } from './errors.ts';

const mostLevels = 15;
const mostLength = 1011;

interface Place {
  readonly region: string;
  readonly account: string;
}

/** The ARN of a parameter: with one slash before its name, whether the name begins with one or not. */
export const parameterArn = ({ region, account }: Place, name: string): string =>
  arnOf({ service: 'ssm', region, account, resource: `parameter/${name.startsWith('/') ? name.slice(1) : name}` });

/** Which parameter, and which of its versions, a text asks for. */
export interface Reference {
  readonly name: string;
  /** A version's number or a label; undefined for the newest. */
  readonly selector: string | undefined;
}

/**
 * Reads `name`, `name:3`, `name:label`, or an ARN in the place of the name.
 * @returns undefined for an ARN of something else, or of another account or region
 */
export function readReference(place: Place, text: string): Reference | undefined {
  if (!text.startsWith('arn:')) {
    const [name = '', ...rest] = text.split(':');
    return { name, selector: rest.length === 0 ? undefined : rest.join(':') };
  }
  const parsed = parseArn(text);
  if (parsed?.service !== 'ssm' || parsed.region !== place.region || parsed.account !== place.account) return undefined;
  if (!parsed.resource.startsWith('parameter/')) return undefined;
  const [name = '', ...rest] = parsed.resource.slice('parameter'.length).split(':');
  return { name, selector: rest.length === 0 ? undefined : rest.join(':') };
}

/**
 * Checks the name of a parameter that is to be made.
 * @throws AccessDeniedException, ValidationException, HierarchyLevelLimitExceededException
 */
export function checkName(name: string, arn: string): void {
  if (/^\/?aws/i.test(name))
    throw new AwsError('AccessDeniedException', `No access to reserved parameter name: ${name}.`);
  if (/^\/?ssm/i.test(name) || !/^[a-zA-Z0-9_.\-/]+$/.test(name) || /\/\/|\/$/.test(name))
    throw validation(
      'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_',
    );
  if (!name.startsWith('/') && name.includes('/')) throw validation('Parameter name must be a fully qualified name.');
  if (arn.length > mostLength)
    throw validation(`The ARN of a parameter has at most ${mostLength} characters, this one has ${arn.length}.`);
  if (name.split('/').length - 1 > mostLevels)
    throw new AwsError(
      'HierarchyLevelLimitExceededException',
      `A hierarchy can have a maximum of ${mostLevels} levels. Use a shorter path.`,
    );
}
