import type { AccessList, Call, Operation } from '@slipway/auth/contract';
import { refuseMembers, type Shape } from '@slipway/auth/kit';

import type { Balancers, Balancing, Draft } from '../records/index.ts';

/** What the operations of every API over the records of load balancing work with. */
export interface ApiPorts {
  readonly balancers: Balancers;
  readonly region: string;
}

/** What an operation is told about its call. */
export interface SceneOf<A> {
  readonly api: A;
  readonly call: Call;
  readonly region: string;
  readonly account: string;
}

interface Declared<A, I, O> {
  readonly input: Shape<I>;
  readonly output: Shape<O>;
  /** What the caller must be allowed, from the input and the records as they are. */
  readonly access: (input: I, scene: SceneOf<A>, balancing: Balancing) => AccessList;
}

/** An operation that reads. */
interface Reading<A, I, O> extends Declared<A, I, O> {
  readonly read: (input: I, scene: SceneOf<A>, balancing: Balancing) => O | Promise<O>;
}

/** An operation that changes the records of the caller's account, in one commit: `change` runs again when somebody else was faster. */
interface Changing<A, I, O, M> extends Declared<A, I, O> {
  /** What of elsewhere is needed, looked up before the change. */
  readonly change: (input: I, scene: SceneOf<A>, draft: Draft) => M | Promise<M>;
  /** What is answered when the change stands; it may wait for the engines. */
  readonly answer: (made: M, scene: SceneOf<A>, balancing: Balancing) => O | Promise<O>;
}

/** An operation with its shapes, as the gateway wants it. */
export interface ApiOperation<A> {
  readonly schema: (name: string) => unknown;
  readonly input: Shape<unknown>;
  readonly output: Shape<unknown>;
  readonly bind: (api: A) => Operation<never, unknown>;
}
export type ApiOperations<A> = Readonly<Record<string, ApiOperation<A>>>;

/** What is an API's own about its operations. */
export interface ApiRules {
  readonly operationSchema: (name: string, input: Shape<unknown>, output: Shape<unknown>) => unknown;
  /** That what is asked of this installation is nothing that it does. @param instead what to do */
  readonly unsupported: (what: string, instead: string) => Error;
}

/** Declares an operation of one API. */
export type Declare<A> = <I, O, M = O>(declared: Reading<A, I, O> | Changing<A, I, O, M>) => ApiOperation<A>;

/** Makes what declares operations. What is the same for all is done here: the records are read, and members that nothing acts on are refused. */
export function operationsOf<A extends ApiPorts>({ operationSchema, unsupported }: ApiRules): Declare<A> {
  return <I, O, M = O>(declared: Reading<A, I, O> | Changing<A, I, O, M>): ApiOperation<A> => {
    const { input: shape, output } = declared;
    return {
      input: shape,
      output,
      schema: (name) => operationSchema(name, shape, output),
      bind: (api) => {
        const sceneOf = (call: Call): SceneOf<A> => ({ api, call, region: api.region, account: call.account });
        const bound: Operation<I, O> = {
          access: async (input, call) => declared.access(input, sceneOf(call), await api.balancers.read(call.account)),
          handle: async (input, call) => {
            refuseMembers(shape, input, unsupported);
            const scene = sceneOf(call);
            if ('read' in declared) return declared.read(input, scene, await api.balancers.read(call.account));
            const { result, balancing } = await api.balancers.change(call.account, (draft) =>
              declared.change(input, scene, draft),
            );
            return declared.answer(result, scene, balancing);
          },
        };
        return bound as Operation<never, unknown>;
      },
    };
  };
}

/**
 * Operations that are not served: whoever may call them is told why that does nothing here; others are denied as ever.
 * @param instead of each operation, what to do
 */
export const refusalsOf = <A>(
  instead: Readonly<Record<string, string>>,
  {
    operation,
    inputOf,
    nothing,
    mayList,
    unsupported,
  }: {
    readonly operation: Declare<A>;
    /** The input of an operation, without members. */
    readonly inputOf: (name: string) => Shape<object>;
    readonly nothing: Shape<object>;
    readonly mayList: (action: string) => () => AccessList;
    readonly unsupported: ApiRules['unsupported'];
  },
): ApiOperations<A> =>
  Object.fromEntries(
    Object.entries(instead).map(([name, how]) => [
      name,
      operation({
        input: inputOf(name),
        output: nothing,
        access: mayList(name),
        read: (): never => {
          throw unsupported(name, how);
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
