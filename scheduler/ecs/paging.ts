import { type PageRules, Pages, createSigning, storedKeys } from '@slipway/auth/kit';

import { type EcsPorts, invalidParameter } from '../cluster/index.ts';
import { accountKeys, accountPartition } from '../state/index.ts';

/** ECS's pages: 100 results at most, and where the caller does not say; ListServices has 10 (ECS API reference, `maxResults`). */
const rules: PageRules = {
  usual: 100,
  most: 100,
  badSize: (asked, most) => invalidParameter(`maxResults must be a whole number from 1 to ${most}, not ${asked}.`),
  badToken: () => invalidParameter('Invalid token: use the nextToken of the same list with the same filters.'),
};

export const ecsPages = ({ records, random }: Pick<EcsPorts, 'records' | 'random'>): Pages =>
  new Pages(
    createSigning(storedKeys(records, random, { partition: accountPartition, key: accountKeys.signingKey })),
    rules,
  );
