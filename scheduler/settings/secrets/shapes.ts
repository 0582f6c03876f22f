/** Shapes of Secrets Manager's API (2017-10-17), written by hand as ACM's are. */
import { required, secret, shapesOf, simpleShapes } from '@slipway/auth/kit';

export { refused, required, secret } from '@slipway/auth/kit';

export const { text, number, flag, time, blob } = simpleShapes;
export const { list, map, struct, operationSchema } = shapesOf({ namespace: 'com.amazonaws.secretsmanager' });

/** An answer without members. */
export const nothing = struct('Unit', {});
export const texts = list(text);
export const tags = list(struct('Tag', { Key: text, Value: text }));

/** The one member of most requests, and what most answers say. */
export const byId = { SecretId: required(text) } as const;
export const named = { ARN: text, Name: text } as const;

/** A value as requests and answers have it. */
export const valueMembers = { SecretBinary: secret(blob), SecretString: secret(text) } as const;
export const page = { MaxResults: number, NextToken: text } as const;
export const filters = list(struct('Filter', { Key: text, Values: texts }));
