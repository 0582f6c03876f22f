import type { AccessList, ConditionContext, Constraints, Operation } from '@slipway/auth/contract';
import {
  type ApiOperation,
  type ApiOperations,
  arnOf,
  type Declared,
  declareOperation,
  type Pages,
  type SceneOf,
} from '@slipway/auth/kit';
import type { Clock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';

import type { MetricStore } from '../store/index.ts';

import { inOurWords, unsupported } from './errors.ts';
import { operationSchema } from './shapes.ts';

/** What the operations on metrics and dashboards work with. */
export interface CloudWatchApi {
  readonly metrics: MetricStore;
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly region: string;
  readonly pages: Pages;
}

export type Scene = SceneOf<CloudWatchApi>;
export type CloudWatchOperations = ApiOperations<CloudWatchApi>;

/** Operations of the API of CloudWatch that another room has, as `schemasOf` and `bindAll` give them. */
export interface OperationsBeside {
  readonly schemas: Readonly<Record<string, unknown>>;
  readonly operations: Readonly<Record<string, Operation<never, unknown>>>;
  readonly constraints: Constraints;
}

/** Declares an operation of CloudWatch, whose errors are put in AWS's words. */
export const declareCloudWatch = <A extends { readonly region: string }, I, O>(
  declared: Declared<A, I, O>,
): ApiOperation<A> =>
  declareOperation(
    { operationSchema, unsupported },
    {
      ...declared,
      handle: async (input: I, scene) => {
        try {
          return await declared.handle(input, scene);
        } catch (error) {
          throw inOurWords(error);
        }
      },
    },
  );

export const operation = <I, O>(declared: Declared<CloudWatchApi, I, O>): ApiOperation<CloudWatchApi> =>
  declareCloudWatch(declared);

/** `cloudwatch:<action>` on no resource of its own: that is how actions on metrics are asked for (service authorization reference). */
export const mayAny =
  <I>(action: string, contextOf: (input: NoInfer<I>) => ConditionContext = () => ({})) =>
  (input: I): AccessList => [{ action: `cloudwatch:${action}`, resources: [{ arn: '*' }], context: contextOf(input) }];

/** `arn:aws:cloudwatch::<account>:dashboard/<name>`: dashboards are of no region. */
export const dashboardArn = (account: string, name: string): string =>
  arnOf({ service: 'cloudwatch', region: '', account, resource: `dashboard/${name}` });
