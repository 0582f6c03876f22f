import { type Transaction } from '@slipway/storage/records';
import type { Accounts } from './accounts.ts';
import { instanceRole, userArn } from './arns.ts';
import { type AccessKeyEntity, asJson, type RoleEntity, type UserEntity } from './entities.ts';
import { keys } from './keys.ts';
import { newAccessKeyId, newSecret, uniqueId } from './ids.ts';

/** The administrator of an account. Its secret exists only here and sealed in the store. */
export interface FirstAdministrator {
  readonly userArn: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** What the account record holds. */
interface AccountRow {
  readonly created: number;
  /** Tells whether the configured encryption key is the one that the account's secrets were sealed with. */
  readonly keyFingerprint: string;
  /** The administrator's access key, until somebody has confirmed to have kept it. */
  readonly unconfirmed?: string;
}

/** The encryption key in the configuration is not the one the account's secrets are sealed with. */
export class WrongEncryptionKey extends Error {
  override readonly name = 'WrongEncryptionKey';
}

const administratorAccess = 'arn:aws:iam::aws:policy/AdministratorAccess';

const trusting = (service: string): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' }],
  });

/** Roles that Slipway's own parts use, in every account. */
const builtInRoles: readonly (Pick<RoleEntity, 'name' | 'path' | 'description' | 'attached' | 'trust'> & {
  linkedTo?: string;
})[] = [
  {
    ...instanceRole,
    description: 'What the container agent of a host may do.',
    attached: ['arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role'],
    trust: trusting('ec2.amazonaws.com'),
  },
  {
    name: 'AWSServiceRoleForECS',
    path: '/aws-service-role/ecs.amazonaws.com/',
    description: 'Role to enable Amazon ECS to manage your cluster.',
    attached: ['arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy'],
    trust: trusting('ecs.amazonaws.com'),
    linkedTo: 'ecs.amazonaws.com',
  },
];

/**
 * Makes a new account usable: its administrator (user `admin`, AdministratorAccess, one access key) and the built-in roles. Roles
 * that are missing later, because a newer version needs them, are added; nothing else of an existing account is touched.
 * @returns the administrator's key until {@link confirmAdministrator}, however often that takes: whoever started first may have ended
 *   before it could keep the key; undefined afterwards
 * @throws WrongEncryptionKey
 */
export async function prepareAccount(accounts: Accounts, account: string): Promise<FirstAdministrator | undefined> {
  if (!/^\d{12}$/.test(account)) throw new RangeError(`an account is 12 digits: ${account}`);
  const { seal, clock } = accounts.ports;
  return accounts.transact(account, async (tx) => {
    const row = await tx.get<AccountRow>(keys.account);
    if (row !== undefined && row.keyFingerprint !== seal.fingerprint) {
      throw new WrongEncryptionKey(
        `the secrets of account ${account} were encrypted with another key than the configured one; configure the key they were encrypted with`,
      );
    }
    for (const role of builtInRoles) await addRole(tx, accounts, role);
    if (row !== undefined)
      return row.unconfirmed === undefined ? undefined : keyOf(tx, accounts, account, row.unconfirmed);
    const made = addAdministrator(tx, accounts, account);
    const unconfirmed = made.accessKeyId;
    tx.put(keys.account, { created: clock.now(), keyFingerprint: seal.fingerprint, unconfirmed });
    return made;
  });
}

/** The administrator's key lies where its owner finds it, durably: it is not handed out again. */
export async function confirmAdministrator(accounts: Accounts, account: string): Promise<void> {
  await accounts.transact(account, async (tx) => {
    const row = await tx.get<AccountRow>(keys.account);
    if (row?.unconfirmed === undefined) return;
    const { unconfirmed: _unconfirmed, ...confirmed } = row;
    tx.put(keys.account, confirmed);
  });
}

/** The first active key of the administrator; undefined when there is none any more. */
export async function administratorKey(accounts: Accounts, account: string): Promise<FirstAdministrator | undefined> {
  return accounts.transact(account, async (tx) => {
    const user = await tx.get<UserEntity>(keys.user('admin'));
    for (const id of user?.accessKeys ?? []) {
      const key = await keyOf(tx, accounts, account, id);
      if (key !== undefined) return key;
    }
    return undefined;
  });
}

/** An active key of the administrator with its secret. @throws SealBroken */
async function keyOf(
  tx: Transaction,
  accounts: Accounts,
  account: string,
  id: string,
): Promise<FirstAdministrator | undefined> {
  const user = await tx.get<UserEntity>(keys.user('admin'));
  const key = await tx.get<AccessKeyEntity>(keys.accessKey(id));
  if (user === undefined || key?.userId !== user.id || key.status !== 'Active') return undefined;
  const secretAccessKey = accounts.ports.seal.open(key.sealed, id);
  return { userArn: userArn(account, user), accessKeyId: id, secretAccessKey };
}

async function addRole(tx: Transaction, accounts: Accounts, role: (typeof builtInRoles)[number]): Promise<void> {
  const { clock, random } = accounts.ports;
  const key = keys.role(role.name);
  if ((await tx.get(key)) !== undefined) return;
  const entity: RoleEntity = {
    kind: 'role',
    id: uniqueId('AROA', random),
    created: clock.now(),
    maxSession: 3600,
    tags: {},
    inline: {},
    ...role,
  };
  tx.put(key, asJson(entity));
  for (const arn of role.attached) tx.put(keys.attachment(arn, key), true);
}

function addAdministrator(tx: Transaction, accounts: Accounts, account: string): FirstAdministrator {
  const { clock, random, seal } = accounts.ports;
  const accessKeyId = newAccessKeyId('AKIA', account, random);
  const secretAccessKey = newSecret(random);
  const user: UserEntity = {
    kind: 'user',
    name: 'admin',
    path: '/',
    id: uniqueId('AIDA', random),
    created: clock.now(),
    tags: {},
    attached: [administratorAccess],
    inline: {},
    groups: [],
    accessKeys: [accessKeyId],
  };
  const accessKey: AccessKeyEntity = {
    kind: 'access-key',
    id: accessKeyId,
    user: 'admin',
    userId: user.id,
    status: 'Active',
    created: clock.now(),
    sealed: seal.seal(secretAccessKey, accessKeyId),
  };
  tx.put(keys.user('admin'), asJson(user));
  tx.put(keys.attachment(administratorAccess, keys.user('admin')), true);
  tx.put(keys.accessKey(accessKeyId), asJson(accessKey));
  return { userArn: userArn(account, user), accessKeyId, secretAccessKey };
}
