import { definePartition, type OwnedRows } from '@slipway/storage/records';

/** Everything about certificates by ACME lies here, the same for all servers of an installation. */
const certificates = definePartition('acme', 'the certificates of the installation');
export const acmePartition = certificates.name();

const facts = { certificate: 'certificate', suggestion: 'suggestion', trouble: 'trouble', request: 'request' } as const;

export const acmeKeys = {
  /** One record each, by name. */
  facts,
  challenges: 'challenge/',
  /** By token (`http-01`) or server name (`tls-alpn-01`). */
  challenge: (name: string): string => `challenge/${name}`,
  accounts: 'account/',
  account: (digest: string): string => `account/${digest}`,
} as const;

export const acmeRows: OwnedRows = {
  partition: certificates,
  owner: 'auth/acme',
  keys: [...Object.values(facts), acmeKeys.challenges, acmeKeys.accounts],
};
