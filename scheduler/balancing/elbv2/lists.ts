import { rowsOf } from '@slipway/auth/kit';

import type { BalancingRecords, Balancing, NamedType } from '../records/index.ts';

import { notFound, validation } from './errors.ts';
import { readArn } from './names.ts';
import type { Scene } from './operation.ts';

/** The record of an ARN. @throws the type's error that says that there is none, ValidationError for what is no ARN */
export function find<T extends NamedType>(
  scene: Scene,
  balancing: Balancing,
  type: T,
  arn: string,
): BalancingRecords[T] {
  const record = lookUp(scene, balancing, type, arn);
  if (record === undefined) throw notFound(type);
  return record;
}

/** The record of an ARN, or undefined. @throws ValidationError for what is no ARN of the type's */
export function lookUp<T extends NamedType>(
  scene: Scene,
  balancing: Balancing,
  type: T,
  arn: string,
): BalancingRecords[T] | undefined {
  const named = readArn(scene, arn);
  if (named !== undefined && named.type !== type) throw validation(`'${arn.slice(0, 200)}' is not a valid ${type} ARN`);
  return balancing.get(type, named?.id);
}

/** The records of ARNs, each once. @throws as {@link find} */
export const findAll = <T extends NamedType>(
  scene: Scene,
  balancing: Balancing,
  type: T,
  arns: readonly string[],
): readonly BalancingRecords[T][] =>
  [...new Set(arns)].map((arn) => {
    const record = lookUp(scene, balancing, type, arn);
    if (record === undefined) throw notFound(type, 'some');
    return record;
  });

/**
 * What a list is asked for: things by their ARNs, or all within one thing, and exactly one of both.
 * @param what both, as the error names them. @throws ValidationError
 */
export function namedOrWithin<T>(
  what: string,
  arns: readonly string[] | undefined,
  within: string | undefined,
  { named, all }: { readonly named: (arns: readonly string[]) => T; readonly all: (within: string) => T },
): T {
  const byArn = arns !== undefined && arns.length > 0;
  const isWithin = within !== undefined && within !== '';
  if (byArn === isWithin) throw validation(`You must specify either ${what}`);
  return byArn ? named(arns) : all(within as string);
}

interface PageInput {
  readonly Marker?: string | undefined;
  readonly PageSize?: number | undefined;
}

/** A page of a list. @param name the list and what it was asked with: a marker is good for it alone. @param keyOf by which it is ordered */
export async function pageOf<T, R>(
  { api, account }: Scene,
  name: readonly unknown[],
  { Marker, PageSize }: PageInput,
  records: readonly T[],
  keyOf: (record: T) => string,
  view: (record: T) => R,
): Promise<{ readonly items: R[]; readonly more: { readonly NextMarker?: string } }> {
  const request = { maxResults: PageSize, nextToken: Marker };
  const after = await api.pages.start(account, name, request);
  const { items, nextToken } = await api.pages.page(account, name, request, rowsOf(records, keyOf, after), view);
  return { items, more: nextToken === undefined ? {} : { NextMarker: nextToken } };
}
