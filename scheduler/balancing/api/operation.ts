import type { AccessList } from '@slipway/auth/contract';
import { type ApiOperation, type ApiRules, declareOperation, type SceneOf, type Shape } from '@slipway/auth/kit';

import type { Balancers, Balancing, Draft } from '../records/index.ts';

/** What the operations of every API over the records of load balancing work with. */
export interface ApiPorts {
  readonly balancers: Balancers;
  readonly region: string;
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

/** Declares an operation of one API. */
export type Declare<A> = <I, O, M = O>(declared: Reading<A, I, O> | Changing<A, I, O, M>) => ApiOperation<A>;

/** Makes what declares operations over the records of the caller's account, which are read for each. */
export const operationsOf =
  <A extends ApiPorts>(rules: ApiRules): Declare<A> =>
  <I, O, M = O>(declared: Reading<A, I, O> | Changing<A, I, O, M>): ApiOperation<A> =>
    declareOperation<A, I, O>(rules, {
      input: declared.input,
      output: declared.output,
      access: async (input, scene) => declared.access(input, scene, await scene.api.balancers.read(scene.account)),
      handle: async (input, scene) => {
        const { api, account } = scene;
        if ('read' in declared) return declared.read(input, scene, await api.balancers.read(account));
        const { result, balancing } = await api.balancers.change(account, (draft) =>
          declared.change(input, scene, draft),
        );
        return declared.answer(result, scene, balancing);
      },
    });
