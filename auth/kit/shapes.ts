/**
 * Shapes of a service in the form of the SDK clients' runtime schemas, written by hand: for services whose own SDK module would take more
 * memory than the rest of the server (EC2's takes 73 MiB). Each shape is the schema and, by its type, what it reads and writes.
 */

declare const value: unique symbol;

/** A shape of a service model; `T` is what it reads as. */
export interface Shape<T> {
  /** As the SDK's static schemas: a number for simple types, a tuple or a function that gives it otherwise. */
  readonly schema: unknown;
  /** Of a structure: its members, for whoever walks them. */
  readonly members?: Readonly<Record<string, ShapeMember<unknown>>>;
  /** Of a list: what it is of. */
  readonly element?: Shape<unknown>;
  readonly [value]?: T;
}

/** A member that is not simply a shape: with a name of its own on the wire, one that must be there, or one that is refused. */
export interface ShapeMember<T, Must extends boolean = boolean> {
  readonly shape: Shape<T>;
  readonly wire?: string;
  readonly must: Must;
  /** Why nothing here acts on it; a request that has it is refused with this. */
  readonly refusal?: string;
  /** Whether no error and no log may repeat it. */
  readonly secret?: true;
}

export type ShapeMembers = Readonly<Record<string, Shape<unknown> | ShapeMember<unknown>>>;
type ValueOf<M> = M extends ShapeMember<infer T> ? T : M extends Shape<infer T> ? T : never;
type MustHave<M> = { [K in keyof M]: M[K] extends ShapeMember<unknown, true> ? K : never }[keyof M];

/** What a structure of these members reads as. */
type ValuesOf<M> = { readonly [K in MustHave<M>]: ValueOf<M[K]> } & {
  readonly [K in Exclude<keyof M, MustHave<M>>]?: ValueOf<M[K]> | undefined;
};

/** What a shape reads as. */
export type ShapeValue<S> = S extends Shape<infer T> ? T : never;

/** The simple shapes. A date is written as its protocol writes it. */
export const simpleShapes = {
  text: { schema: 0 } as Shape<string>,
  number: { schema: 1 } as Shape<number>,
  flag: { schema: 2 } as Shape<boolean>,
  time: { schema: 4 } as Shape<Date>,
  blob: { schema: 21 } as Shape<Uint8Array>,
} as const;

/** How a service's protocol names things. */
export interface ShapeNames {
  /** `com.amazonaws.ec2`. */
  readonly namespace: string;
  /** What members are called on the wire that have no name of their own there; without it, as they are called. */
  readonly wireName?: (member: string) => string;
  /** What elements of lists are called in answers; without it, what the protocol calls them. */
  readonly elementName?: string;
}

/** How an error looks on the wire. */
export interface ErrorWire {
  readonly queryCode?: string | undefined;
  /** Default 400. */
  readonly status?: number | undefined;
}

/** Makes lists, structures and operations of one service. */
export interface Shapes {
  readonly list: <T>(of: Shape<T>) => Shape<readonly T[]>;
  /** A map from texts. */
  readonly map: <T>(of: Shape<T>) => Shape<Readonly<Record<string, T>>>;
  /** A structure. Members that must be there stand first in the schema, as the SDK has them. */
  readonly struct: <const M extends ShapeMembers>(name: string, members: M) => Shape<ValuesOf<M>>;
  /** An operation's schema, in the place of one that an SDK client module exports. */
  readonly operationSchema: (name: string, input: Shape<unknown>, output: Shape<unknown>) => unknown;
  /** A stream of events, each of which is one of the members; it is the one member of an answer that is sent as it comes. */
  readonly eventStream: <const M extends ShapeMembers>(name: string, members: M) => Shape<AsyncIterable<ValuesOf<M>>>;
  /**
   * The schema of an error: a service that has one of a name uses it in place of the usual one.
   * @param wire what the Query protocol calls it, if not the same, and its status
   * @param members its own, beside `message`
   */
  readonly errorSchema: (name: string, wire?: ErrorWire, members?: Readonly<Record<string, Shape<unknown>>>) => unknown;
}

export function shapesOf({ namespace, wireName, elementName }: ShapeNames): Shapes {
  const named = (name: string | undefined): object => (name === undefined ? {} : { xmlName: name });
  return {
    list: <T>(of: Shape<T>) => ({
      element: of,
      schema: [1, namespace, '', 0, [lazy(of), named(elementName)]],
    }),
    map: (of) => ({ schema: [2, namespace, '', 0, 0, lazy(of)] }),
    struct: (name, members) => {
      const all = Object.entries(members).map(([key, of]) => [key, memberOf(of)] as const);
      const sorted = [...all.filter(([, { must }]) => must), ...all.filter(([, { must }]) => !must)];
      return {
        members: Object.fromEntries(all),
        schema: [
          3,
          namespace,
          name,
          0,
          sorted.map(([key]) => key),
          sorted.map(([key, { shape, wire, secret }]) => [
            lazy(shape),
            { ...named(wire ?? wireName?.(key)), ...(secret === true ? { sensitive: 1 } : {}) },
          ]),
          all.filter(([, { must }]) => must).length,
        ],
      };
    },
    eventStream: (name, members) => {
      const all = Object.entries(members).map(([key, of]) => [key, memberOf(of)] as const);
      const shapes = all.map(([, { shape }]) => lazy(shape));
      return { schema: [4, namespace, name, { streaming: 1 }, all.map(([key]) => key), shapes] };
    },
    errorSchema: (name, { queryCode = name, status = 400 } = {}, members = {}) => [
      -3,
      namespace,
      name,
      {
        error: status < 500 ? 'client' : 'server',
        ...(status === 400 ? {} : { httpError: status }),
        ...(queryCode === name ? {} : { awsQueryError: [queryCode, status] }),
      },
      ['message', ...Object.keys(members)],
      [0, ...Object.values(members).map((of) => lazy(of))],
    ],
    operationSchema: (name, input, output) => [
      9,
      namespace,
      name,
      { http: ['POST', '/', 200] },
      () => input.schema,
      () => output.schema,
    ],
  };
}

/** Under another name on the wire than the service's others. */
export const as = <T>(wire: string, shape: Shape<T>): ShapeMember<T, false> => ({ shape, wire, must: false });

/** A member that a request must have. */
export function required<T>(of: Shape<T> | ShapeMember<T>): ShapeMember<T, true> {
  return { ...memberOf(of), must: true };
}

/** A member that no error and no log may repeat. */
export const secret = <T>(of: Shape<T> | ShapeMember<T>): ShapeMember<T, false> => ({
  ...memberOf(of),
  must: false,
  secret: true,
});

/** A member that is read in order to be refused, unless it is empty or says what is so anyway (`false`, 0). @param why with what to do instead */
export function refused<T>(of: Shape<T> | ShapeMember<T>, why: string): ShapeMember<T, false> {
  return { ...memberOf(of), must: false, refusal: why };
}

const memberOf = <T>(of: Shape<T> | ShapeMember<T>): ShapeMember<T> =>
  'shape' in of ? of : { shape: of, must: false };

/** Simple types as they are, others by a function: that is how schemas refer to each other. */
const lazy = ({ schema }: Shape<unknown>): unknown => (Array.isArray(schema) ? () => schema : schema);

/**
 * Refuses a request that has a member which nothing acts on, wherever in it that stands.
 * @param refuse makes the error, from the member's path and its sentence
 */
export function refuseMembers(
  { members = {}, element }: Shape<unknown>,
  input: unknown,
  refuse: (path: string, why: string) => Error,
  path = '',
): void {
  if (typeof input !== 'object' || input === null) return;
  if (element !== undefined) {
    for (const [index, one] of (input as readonly unknown[]).entries())
      refuseMembers(element, one, refuse, `${path}${index + 1}.`);
    return;
  }
  for (const [name, given] of Object.entries(input)) {
    const member = Object.hasOwn(members, name) ? members[name] : undefined;
    if (member === undefined) continue;
    if (member.refusal !== undefined && !saysNothing(given)) throw refuse(`${path}${name}`, member.refusal);
    refuseMembers(member.shape, given, refuse, `${path}${name}.`);
  }
}

/** `false`, 0, an empty list, and a structure of such: what clients send for what was not asked for. */
function saysNothing(given: unknown): boolean {
  if (given === undefined || given === false || given === 0 || given === '') return true;
  return typeof given === 'object' && given !== null && Object.values(given).every(saysNothing);
}
