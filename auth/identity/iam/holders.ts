import type { GroupEntity, RoleEntity, UserEntity } from '../entities.ts';
import { type Key, keys } from '../keys.ts';
import { noSuchEntity } from '../errors.ts';
import type { Iam } from './iam.ts';

interface Holders {
  readonly user: UserEntity;
  readonly group: GroupEntity;
  readonly role: RoleEntity;
}

/** Reads a user, group or role, which are what policies are put on. @throws AwsError `NoSuchEntityException` */
export async function findHolder<K extends keyof Holders>(
  iam: Iam,
  account: string,
  kind: K,
  name = '',
): Promise<Holders[K]> {
  const holder = await iam.find<Holders[K]>(account, keys[kind](name) as Key<Holders[K]>);
  if (holder === undefined) throw noSuchEntity(`The ${kind} with name ${name} cannot be found.`);
  return holder;
}
