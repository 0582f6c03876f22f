/** Shapes of KMS's API (2014-11-01), written by hand as those of Secrets Manager are. */
import { refused, required, secret, shapesOf, simpleShapes } from '@slipway/auth/kit';

export { refused, required, secret } from '@slipway/auth/kit';

export const { text, number, flag, time, blob } = simpleShapes;
export const { list, map, struct, operationSchema } = shapesOf({ namespace: 'com.amazonaws.kms' });

/** An answer without members. */
export const nothing = struct('Unit', {});
export const texts = list(text);
export const tags = list(struct('Tag', { TagKey: required(text), TagValue: required(text) }));

/** The one member of most requests. */
export const byKey = { KeyId: required(text) } as const;
export const page = { Limit: number, Marker: text } as const;
export const pageAnswer = { NextMarker: text, Truncated: flag } as const;

const noGrants = 'There are no grants: allow it in the policy of the key.';
/** What requests about ciphertexts have in common. */
export const grantTokens = { GrantTokens: refused(texts, noGrants) } as const;
export const dryRun = { DryRun: flag } as const;
export const context = map(text);
export const recipient = {
  Recipient: refused(
    struct('RecipientInfo', { KeyEncryptionAlgorithm: text, AttestationDocument: blob }),
    'There are no Nitro enclaves here: leave it out.',
  ),
} as const;
export const plaintext = secret(blob);
export const algorithm = text;
