import type { Signing } from '../images/index.ts';
import { invalidParameter } from './errors.ts';

/** Members of a paged request. */
export interface Paged {
  readonly nextToken?: string | undefined;
  readonly maxResults?: number | undefined;
}

/** @throws AwsError `InvalidParameterException` outside 1 to `most` */
export function pageSize({ maxResults }: Paged, otherwise = 100, most = 1000): number {
  if (maxResults === undefined) return otherwise;
  if (!Number.isInteger(maxResults) || maxResults < 1 || maxResults > most) {
    throw invalidParameter(
      `Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value between 1 and ${most}'`,
    );
  }
  return maxResults;
}

/** Page tokens: signed, so that one that was made up, or belongs to another list, is refused rather than understood somehow. */
export async function startOf(
  signing: Signing,
  account: string,
  list: string,
  { nextToken }: Paged,
): Promise<string | undefined> {
  if (nextToken === undefined) return undefined;
  const parts = await signing.verify(account, `page of ${list}`, nextToken);
  if (parts?.[0] === undefined)
    throw invalidParameter("Invalid parameter at 'nextToken': the token is not one that this list gave out");
  return parts[0];
}

export const tokenFor = (signing: Signing, account: string, list: string, last: string): Promise<string> =>
  signing.sign(account, `page of ${list}`, [last]);
