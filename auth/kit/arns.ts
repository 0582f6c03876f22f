/** The six parts of an ARN; the last is the whole rest, with its own `/` and `:`. */
export type ArnParts = readonly [string, string, string, string, string, string];

/**
 * Splits an ARN at its first five colons.
 * @returns undefined when there are fewer
 */
export function splitArn(arn: string): ArnParts | undefined {
  const parts: string[] = [];
  let from = 0;
  for (let count = 0; count < 5; count++) {
    const colon = arn.indexOf(':', from);
    if (colon === -1) return undefined;
    parts.push(arn.slice(from, colon));
    from = colon + 1;
  }
  parts.push(arn.slice(from));
  return parts as unknown as ArnParts;
}

/** An ARN taken apart (AWS general reference, "Amazon Resource Names"). */
export interface Arn {
  readonly service: string;
  /** Empty for services that are not of a region, such as IAM. */
  readonly region: string;
  /** 12 digits, `aws`, or empty. */
  readonly account: string;
  /** The rest: `repository/web`, `user/team/ada`, `task-definition/web:3`. */
  readonly resource: string;
}

/** Writes an ARN of the partition `aws`; `arnOf({ service: 'ecr', region, account, resource: 'repository/web' })`. */
export const arnOf = ({ service, region, account, resource }: Arn): string =>
  `arn:aws:${service}:${region}:${account}:${resource}`;

/** Takes an ARN of any AWS partition apart; undefined when the text is none. */
export function parseArn(text: string): Arn | undefined {
  const parts = splitArn(text);
  if (parts === undefined) return undefined;
  const [arn, partition, service, region, account, resource] = parts;
  if (arn !== 'arn' || !/^aws[a-z-]*$/.test(partition) || service === '' || resource === '') return undefined;
  return { service, region, account, resource };
}
