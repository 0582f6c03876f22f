/**
 * Shapes of EC2's API in the form of the SDK clients' runtime schemas, written by hand: the SDK's own module takes 73 MiB of memory.
 * Each shape is the schema and, by its type, what it reads and writes.
 */

const NAMESPACE = 'com.amazonaws.ec2';

declare const value: unique symbol;

/** A shape of the service model; `T` is what it reads as. */
export interface Shape<T> {
  /** As the SDK's static schemas: a number for simple types, a tuple or a function that gives it otherwise. */
  readonly schema: unknown;
  /** Of a structure: its members, for whoever walks them. */
  readonly members?: Readonly<Record<string, Member<unknown>>>;
  readonly [value]?: T;
}

/** A member that is not simply a shape: with a name of its own on the wire, one that must be there, or one that is refused. */
export interface Member<T, Must extends boolean = boolean> {
  readonly shape: Shape<T>;
  readonly wire?: string;
  readonly must: Must;
  /** Why nothing here acts on it; a request that has it is refused with this. */
  readonly refusal?: string;
}

type Members = Readonly<Record<string, Shape<unknown> | Member<unknown>>>;
type ValueOf<M> = M extends Member<infer T> ? T : M extends Shape<infer T> ? T : never;
type MustHave<M> = { [K in keyof M]: M[K] extends Member<unknown, true> ? K : never }[keyof M];

/** What a structure of these members reads as. */
type ValuesOf<M> = { readonly [K in MustHave<M>]: ValueOf<M[K]> } & {
  readonly [K in Exclude<keyof M, MustHave<M>>]?: ValueOf<M[K]> | undefined;
};

/** What a shape reads as. */
export type Of<S> = S extends Shape<infer T> ? T : never;

export const text: Shape<string> = { schema: 0 };
export const number: Shape<number> = { schema: 1 };
export const flag: Shape<boolean> = { schema: 2 };
/** A date, in the requests and answers of EC2 written as ISO 8601. */
export const time: Shape<Date> = { schema: 4 };

/** A list; its elements are called `item` in answers, and numbered in requests. */
export const list = <T>(of: Shape<T>): Shape<readonly T[]> => ({
  schema: [1, NAMESPACE, '', 0, [lazy(of), { xmlName: 'item' }]],
});

/** Under another name on the wire than the member's own with a small first letter (`Tags`: `tagSet`). */
export const as = <T>(wire: string, shape: Shape<T>): Member<T, false> => ({ shape, wire, must: false });

/** A member that a request must have. */
export function required<T>(of: Shape<T> | Member<T>): Member<T, true> {
  return { ...memberOf(of), must: true };
}

/** A member that is read in order to be refused, unless it is empty or says what is so anyway (`false`, 0). @param why with what to do instead */
export function refused<T>(of: Shape<T> | Member<T>, why: string): Member<T, false> {
  return { ...memberOf(of), must: false, refusal: why };
}

/** A structure. Members that must be there stand first in the schema, as the SDK has them. */
export function struct<const M extends Members>(name: string, members: M): Shape<ValuesOf<M>> {
  const all = Object.entries(members).map(([key, of]) => [key, memberOf(of)] as const);
  const sorted = [...all.filter(([, { must }]) => must), ...all.filter(([, { must }]) => !must)];
  return {
    members: Object.fromEntries(all),
    schema: [
      3,
      NAMESPACE,
      name,
      0,
      sorted.map(([key]) => key),
      sorted.map(([key, { shape, wire }]) => [
        lazy(shape),
        { xmlName: wire ?? key.charAt(0).toLowerCase() + key.slice(1) },
      ]),
      all.filter(([, { must }]) => must).length,
    ],
  };
}

/** An operation's schema, in the place of one that an SDK client module exports. */
export const operationSchema = (name: string, input: Shape<unknown>, output: Shape<unknown>): unknown => [
  9,
  NAMESPACE,
  name,
  { http: ['POST', '/', 200] },
  () => input.schema,
  () => output.schema,
];

/** An answer without members. */
export const nothing: Shape<object> = struct('Unit', {});

const memberOf = <T>(of: Shape<T> | Member<T>): Member<T> => ('shape' in of ? of : { shape: of, must: false });

/** Simple types as they are, others by a function: that is how schemas refer to each other. */
const lazy = ({ schema }: Shape<unknown>): unknown => (Array.isArray(schema) ? () => schema : schema);

// --- shapes that many operations share

export const texts: Shape<readonly string[]> = list(text);

export const tag = struct('Tag', { Key: text, Value: text });
export const tags = as('tagSet', list(tag));
/** The tags of what a request makes. */
export const tagSpecifications = as(
  'TagSpecification',
  list(struct('TagSpecification', { ResourceType: text, Tags: as('Tag', list(tag)) })),
);
export type TagSpecifications = Of<(typeof tagSpecifications)['shape']>;

export const filter = struct('Filter', { Name: text, Values: as('Value', texts) });
export const filters = as('Filter', list(filter));
export type Filters = Of<(typeof filters)['shape']>;

/** A flag wrapped in a structure, as the attributes of VPCs and subnets are set. */
export const attribute = struct('AttributeBooleanValue', { Value: flag });

/** Members of every request for a page of a list. */
export const paged = { MaxResults: number, NextToken: text, DryRun: flag } as const;
