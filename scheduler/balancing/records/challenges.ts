import type { Balancing } from './balancing.ts';

/** Where authorities ask for the answer to a challenge (RFC 8555, section 8.3). */
export const challengePath = (token: string): string => `/.well-known/acme-challenge/${token}`;

/** The answer to a token of an order that is under way; undefined when there is no such challenge. */
export const challengeAnswer = (balancing: Balancing, token: string): string | undefined =>
  balancing
    .all('requested')
    .flatMap(({ challenges }) => challenges)
    .find((one) => one.token === token)?.answer;
