import type { AccessList, Call, ConditionContext, Operation } from '@slipway/auth/contract';
import { type Pages, refuseMembers, type Shape } from '@slipway/auth/kit';
import type { Clock } from '@slipway/storage/clock';

import type { LogStore } from '../store/index.ts';

import { inOurWords, unsupported } from './errors.ts';
import { groupArn, streamArn } from './names.ts';
import { nothing, operationSchema, struct } from './shapes.ts';

/** What the operations work with. */
export interface LogsApi {
  readonly logs: LogStore;
  readonly clock: Clock;
  readonly region: string;
  readonly pages: Pages;
  /** Sessions of live tail that are open on this server, by account. */
  readonly sessions: Map<string, number>;
}

/** What an operation is told about its call. */
export interface Scene {
  readonly api: LogsApi;
  readonly call: Call;
  readonly region: string;
  readonly account: string;
}

interface Declared<I, O> {
  readonly input: Shape<I>;
  readonly output: Shape<O>;
  readonly access: (input: I, scene: Scene) => AccessList | Promise<AccessList>;
  readonly handle: (input: I, scene: Scene) => O | Promise<O>;
  /** See `Operation.bodyBytes`. */
  readonly bodyBytes?: number;
}

/** An operation with its shapes, as the gateway wants it. */
export interface LogsOperation {
  readonly schema: (name: string) => unknown;
  readonly bind: (api: LogsApi) => Operation<never, unknown>;
}
export type LogsOperations = Readonly<Record<string, LogsOperation>>;

/** Declares an operation. What is the same for all is done here: members that nothing acts on are refused, and errors are put in AWS's words. */
export function operation<I, O>({ input: shape, output, access, handle, bodyBytes }: Declared<I, O>): LogsOperation {
  return {
    schema: (name) => operationSchema(name, shape, output),
    bind: (api) => {
      const sceneOf = (call: Call): Scene => ({ api, call, region: api.region, account: call.account });
      const bound: Operation<I, O> = {
        access: (input, call) => access(input, sceneOf(call)),
        handle: async (input, call) => {
          refuseMembers(shape, input, unsupported);
          try {
            return await handle(input, sceneOf(call));
          } catch (error) {
            throw inOurWords(error);
          }
        },
        ...(bodyBytes === undefined ? {} : { bodyBytes }),
      };
      return bound as Operation<never, unknown>;
    },
  };
}

/** Operations that are not served: whoever may call them is told why that does nothing here; others are denied as ever. */
export const refusals = (instead: Readonly<Record<string, string>>): LogsOperations =>
  Object.fromEntries(
    Object.entries(instead).map(([name, how]) => [
      name,
      operation({
        input: struct(`${name}Request`, {}),
        output: nothing,
        access: () => [{ action: `logs:${name}`, resources: [{ arn: '*' }] }],
        handle: (): never => {
          throw unsupported(name, how);
        },
      }),
    ]),
  );

/** `logs:<action>` on a group, or on one of its streams, with the tags of the group. */
export const mayOn =
  <I>(
    action: string,
    of: (input: NoInfer<I>, scene: Scene) => { readonly group: string; readonly stream?: string },
    contextOf: (input: NoInfer<I>) => ConditionContext = () => ({}),
  ) =>
  async (input: I, scene: Scene): Promise<AccessList> => {
    const { group, stream } = of(input, scene);
    const arn = streamArn(scene, group, stream);
    return [
      {
        action: `logs:${action}`,
        resources: [{ arn, ...(await tagsOfGroup(scene, group)) }],
        context: contextOf(input),
      },
    ];
  };

/** As {@link mayOn}, for the actions on tags, which are on the ARN of the group itself. */
export const mayTag =
  <I>(
    action: string,
    of: (input: NoInfer<I>, scene: Scene) => string,
    contextOf: (input: NoInfer<I>) => ConditionContext = () => ({}),
  ) =>
  async (input: I, scene: Scene): Promise<AccessList> => {
    const group = of(input, scene);
    const resource = { arn: groupArn(scene, group), ...(await tagsOfGroup(scene, group)) };
    return [{ action: `logs:${action}`, resources: [resource], context: contextOf(input) }];
  };

/** `logs:<action>` over all groups. */
export const mayList =
  (action: string) =>
  (_: unknown, scene: Scene): AccessList => [{ action: `logs:${action}`, resources: [{ arn: streamArn(scene, '') }] }];

async function tagsOfGroup(
  { api, account }: Scene,
  group: string,
): Promise<{ readonly tags?: Readonly<Record<string, string>> }> {
  const found = await api.logs.group(account, group);
  return found === undefined ? {} : { tags: found.tags };
}
