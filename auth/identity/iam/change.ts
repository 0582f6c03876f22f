import type { Transaction } from '@slipway/storage/records';
import {
  asJson,
  type Entity,
  type GroupEntity,
  type InstanceProfileEntity,
  type RoleEntity,
  type UserEntity,
} from '../entities.ts';
import { keys } from '../keys.ts';
import { noSuchEntity, unmodifiable } from '../errors.ts';

/** Reads of entities inside a transaction; each fails with IAM's words when the entity is not there. */
export async function userIn(tx: Transaction, name: string): Promise<UserEntity> {
  const user = await tx.get<UserEntity>(keys.user(name));
  if (user === undefined) throw noSuchEntity(`The user with name ${name} cannot be found.`);
  return user;
}

export async function groupIn(tx: Transaction, name: string): Promise<GroupEntity> {
  const group = await tx.get<GroupEntity>(keys.group(name));
  if (group === undefined) throw noSuchEntity(`The group with name ${name} cannot be found.`);
  return group;
}

export async function roleIn(tx: Transaction, name: string): Promise<RoleEntity> {
  const role = await tx.get<RoleEntity>(keys.role(name));
  if (role === undefined) throw noSuchEntity(`The role with name ${name} cannot be found.`);
  return role;
}

/** A role that may be changed by hand. */
export async function ownRoleIn(tx: Transaction, name: string): Promise<RoleEntity> {
  const role = await roleIn(tx, name);
  if (role.linkedTo !== undefined) {
    throw unmodifiable(
      `Cannot perform the operation on the protected role '${role.name}' - this role is only modifiable by ${role.linkedTo}`,
    );
  }
  return role;
}

export async function profileIn(tx: Transaction, name: string): Promise<InstanceProfileEntity> {
  const profile = await tx.get<InstanceProfileEntity>(keys.profile(name));
  if (profile === undefined) throw noSuchEntity(`Instance Profile ${name} cannot be found.`);
  return profile;
}

/** Where an entity is kept. */
export function keyOf(entity: UserEntity | GroupEntity | RoleEntity | InstanceProfileEntity): string {
  switch (entity.kind) {
    case 'user':
      return keys.user(entity.name);
    case 'group':
      return keys.group(entity.name);
    case 'role':
      return keys.role(entity.name);
    case 'instance-profile':
      return keys.profile(entity.name);
  }
}

export function put(tx: Transaction, entity: UserEntity | GroupEntity | RoleEntity | InstanceProfileEntity): void {
  tx.put(keyOf(entity), asJson(entity as Entity));
}
