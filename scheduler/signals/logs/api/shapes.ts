/** Shapes of the API of CloudWatch Logs (2014-03-28), written by hand as ACM's are. Times are milliseconds since the epoch. */
import { required, type ShapeValue, shapesOf, simpleShapes } from '@slipway/auth/kit';

export { refused, required } from '@slipway/auth/kit';
export type Of<S> = ShapeValue<S>;

export const { text, number, flag } = simpleShapes;
export const { list, map, struct, eventStream, errorSchema, operationSchema } = shapesOf({
  namespace: 'com.amazonaws.logs',
});

/** An answer without members. */
export const nothing = struct('Unit', {});
export const texts = list(text);
export const tags = map(text);

/** The one member of many requests. */
export const byGroup = { logGroupName: required(text) } as const;
export const byStream = { ...byGroup, logStreamName: required(text) } as const;
/** A group by its name or by its ARN. */
export const byEither = { logGroupName: text, logGroupIdentifier: text } as const;
export const nextPage = { nextToken: text, limit: number } as const;

/** A query that cannot be read, with where it is wrong. */
export const malformedQuery = errorSchema(
  'MalformedQueryException',
  {},
  {
    queryCompileError: struct('QueryCompileError', {
      location: struct('QueryCompileErrorLocation', { startCharOffset: number, endCharOffset: number }),
      message: text,
    }),
  },
);
