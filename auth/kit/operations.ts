import type { AccessList, Call, Operation } from '../contract/index.ts';

import { refuseMembers, type Shape, type Shapes } from './shapes.ts';

/** What an operation is told about its call: `api` is what the operations of its API work with. */
export interface SceneOf<A> {
  readonly api: A;
  readonly call: Call;
  readonly region: string;
  readonly account: string;
}

/** An operation as an API declares it. */
export interface Declared<A, I, O> {
  readonly input: Shape<I>;
  readonly output: Shape<O>;
  /** What the caller must be allowed. */
  readonly access: (input: I, scene: SceneOf<A>) => AccessList | Promise<AccessList>;
  readonly handle: (input: I, scene: SceneOf<A>) => O | Promise<O>;
  /** See `Operation.bodyBytes`. */
  readonly bodyBytes?: number;
}

/** An operation with its shapes, as the gateway wants it. */
export interface ApiOperation<A> {
  readonly schema: (name: string) => unknown;
  readonly bind: (api: A) => Operation<never, unknown>;
}
export type ApiOperations<A> = Readonly<Record<string, ApiOperation<A>>>;

/** What is an API's own about its operations. */
export interface ApiRules {
  readonly operationSchema: Shapes['operationSchema'];
  /** That what is asked of this installation is nothing that it does. @param instead what to do */
  readonly unsupported: (what: string, instead: string) => Error;
}

/** Declares an operation of an API whose shapes are written by hand: members that nothing acts on are refused before it is handled. */
export function declareOperation<A extends { readonly region: string }, I, O>(
  { operationSchema, unsupported }: ApiRules,
  { input: shape, output, access, handle, bodyBytes }: Declared<A, I, O>,
): ApiOperation<A> {
  return {
    schema: (name) => operationSchema(name, shape, output),
    bind: (api) => {
      const sceneOf = (call: Call): SceneOf<A> => ({ api, call, region: api.region, account: call.account });
      const bound: Operation<I, O> = {
        access: (input, call) => access(input, sceneOf(call)),
        handle: async (input, call) => {
          refuseMembers(shape, input, unsupported);
          return handle(input, sceneOf(call));
        },
        ...(bodyBytes === undefined ? {} : { bodyBytes }),
      };
      return bound as Operation<never, unknown>;
    },
  };
}

/** What the operations of an API that are not served have in common. */
export interface RefusalRules<A> extends ApiRules {
  /** The input of an operation, without members. */
  readonly inputOf: (name: string) => Shape<object>;
  readonly nothing: Shape<object>;
  readonly mayList: (action: string) => (input: unknown, scene: SceneOf<A>) => AccessList;
}

/**
 * Operations that are not served: whoever may call them is told why that does nothing here; others are denied as ever.
 * @param instead of each operation, what to do
 */
export const refusalsOf = <A extends { readonly region: string }>(
  instead: Readonly<Record<string, string>>,
  { inputOf, nothing, mayList, ...rules }: RefusalRules<A>,
): ApiOperations<A> =>
  Object.fromEntries(
    Object.entries(instead).map(([name, how]) => [
      name,
      declareOperation<A, object, object>(rules, {
        input: inputOf(name),
        output: nothing,
        access: mayList(name),
        handle: (): never => {
          throw rules.unsupported(name, how);
        },
      }),
    ]),
  );

/** The schemas of operations, in the place of an SDK client module. */
export const schemasOf = <A>(operations: ApiOperations<A>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(operations).map(([name, { schema }]) => [`${name}$`, schema(name)]));

/** The operations as the gateway wants them. */
export const bindAll = <A>(operations: ApiOperations<A>, api: A): Readonly<Record<string, Operation<never, unknown>>> =>
  Object.fromEntries(Object.entries(operations).map(([name, { bind }]) => [name, bind(api)]));
