import { definePartition, type OwnedRows } from '@slipway/storage/records';

import type { BalancingType } from './records.ts';

const balancing = definePartition('elb/<account>', 'the load balancing of one account');
export const balancingPartition = balancing.name;

export const balancingKeys = {
  /** Written by every change of the nouns, under its version, which is the generation that engines are told. */
  revision: 'revision',
  noun: (type: BalancingType, id: string): string => `noun/${type}/${id}`,
  nouns: 'noun/',
  /** Of a certificate: its PEM and its sealed key, which are read only where they are served. */
  keyPair: (id: string): string => `key-pair/${id}`,
  keyPairs: 'key-pair/',
  /** What each engine has said of itself: it does not touch `revision`. */
  engine: (id: string): string => `engine/${id}`,
  engines: 'engine/',
  /** Keys the tokens in stickiness cookies. */
  cookieKey: 'cookie-key',
  /** Signs the page tokens of the account's lists. */
  signingKey: 'signing-key',
  /** The lease of whoever checks the health of targets. */
  checker: 'health-checker',
  /** The lease of whoever has certificates issued. */
  issuer: 'certificate-issuer',
} as const;

export const balancingRows: OwnedRows = {
  partition: balancing,
  owner: 'scheduler/balancing',
  keys: [
    balancingKeys.revision,
    balancingKeys.nouns,
    balancingKeys.keyPairs,
    balancingKeys.engines,
    balancingKeys.cookieKey,
    balancingKeys.signingKey,
  ],
};
