/** Shapes of Parameter Store's part of the API of Systems Manager (2014-11-06), written by hand as ACM's are. */
import { required, secret, shapesOf, simpleShapes } from '@slipway/auth/kit';

export { refused, required, secret } from '@slipway/auth/kit';

export const { text, number, flag, time } = simpleShapes;
export const { list, struct, operationSchema } = shapesOf({ namespace: 'com.amazonaws.ssm' });

/** An answer without members. */
export const nothing = struct('Unit', {});
export const texts = list(text);
export const tags = list(struct('Tag', { Key: required(text), Value: required(text) }));

/** The one member of many requests. */
export const byName = { Name: required(text) } as const;
export const page = { MaxResults: number, NextToken: text } as const;

/** A value as answers have it. */
export const parameter = struct('Parameter', {
  Name: text,
  Type: text,
  Value: secret(text),
  Version: number,
  Selector: text,
  SourceResult: text,
  LastModifiedDate: time,
  ARN: text,
  DataType: text,
});

/** What is said of a version wherever one is described. */
export const versionMembers = {
  Name: text,
  Type: text,
  KeyId: text,
  LastModifiedDate: time,
  LastModifiedUser: text,
  Description: text,
  AllowedPattern: text,
  Version: number,
  Tier: text,
  DataType: text,
} as const;

export const filters = list(struct('ParameterStringFilter', { Key: required(text), Option: text, Values: texts }));
