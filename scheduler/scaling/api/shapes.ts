/** Shapes of the API of Application Auto Scaling (2016-02-06), written by hand as ACM's are. Dates are seconds since the epoch. */
import { required, type ShapeValue, shapesOf, simpleShapes } from '@slipway/auth/kit';

export { refused, required } from '@slipway/auth/kit';
export type Of<S> = ShapeValue<S>;

export const { text, number, flag, time } = simpleShapes;
export const { list, map, struct, errorSchema, operationSchema } = shapesOf({
  namespace: 'com.amazonaws.applicationautoscaling',
});

/** An answer without members. */
export const nothing = struct('Unit', {});
export const texts = list(text);
export const tags = map(text);

/** What is scaled, as most requests name it. */
export const oneTarget = {
  ServiceNamespace: required(text),
  ResourceId: required(text),
  ScalableDimension: required(text),
} as const;
export const nextPage = { MaxResults: number, NextToken: text } as const;
export const suspendedState = struct('SuspendedState', {
  DynamicScalingInSuspended: flag,
  DynamicScalingOutSuspended: flag,
  ScheduledScalingSuspended: flag,
});
