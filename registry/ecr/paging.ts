import { type PageRequest, type PageRules, Pages, pageSize as sizeOf, type Signing } from '@slipway/auth/kit';
import { invalidParameter } from './errors.ts';

export type { PageRequest as Paged } from '@slipway/auth/kit';

/** ECR's pages: 100 results where the caller does not say, at most 1000 (ECR API reference, `maxResults`). */
const rules: PageRules = {
  usual: 100,
  most: 1000,
  badSize: (_asked, most) =>
    invalidParameter(
      `Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value between 1 and ${most}'`,
    ),
  badToken: () => invalidParameter("Invalid parameter at 'nextToken': the token is not one that this list gave out"),
};

/** @throws AwsError `InvalidParameterException` outside 1 to `most` */
export const pageSize = (request: PageRequest, usual = rules.usual, most = rules.most): number =>
  sizeOf({ ...rules, usual, most }, request);

/** What the token of the page before was made for. @throws AwsError `InvalidParameterException` for a token of another list */
export const startOf = (
  signing: Signing,
  account: string,
  list: string,
  request: PageRequest,
): Promise<string | undefined> => new Pages(signing, rules).start(account, list, request);

export const tokenFor = (signing: Signing, account: string, list: string, last: string): Promise<string> =>
  new Pages(signing, rules).token(account, list, last);
