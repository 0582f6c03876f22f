/** Shapes of EC2's API, written by hand: the SDK's own module takes 73 MiB of memory. */
import { as, type Shape, type ShapeMember, type ShapeValue, shapesOf, simpleShapes } from '@slipway/auth/kit';

export { as, refused, required, type Shape } from '@slipway/auth/kit';
export type Member<T, Must extends boolean = boolean> = ShapeMember<T, Must>;
export type Of<S> = ShapeValue<S>;

/** A date is written as ISO 8601. */
export const { text, number, flag, time } = simpleShapes;

/**
 * Members are called on the wire as here, with a small first letter, where `as` does not say otherwise (`Tags`: `tagSet`); elements of
 * lists are called `item` in answers, and numbered in requests.
 */
export const { list, struct, operationSchema } = shapesOf({
  namespace: 'com.amazonaws.ec2',
  wireName: (member) => member.charAt(0).toLowerCase() + member.slice(1),
  elementName: 'item',
});

/** An answer without members. */
export const nothing: Shape<object> = struct('Unit', {});

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
