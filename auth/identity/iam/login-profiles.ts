import { AwsError, type Call } from '../../contract/index.ts';
import { asJson, type LoginProfileEntity, type UserEntity } from '../entities.ts';
import { keys } from '../keys.ts';
import { accessDenied, alreadyExists, noSuchEntity, validationError } from '../errors.ts';
import { checkPassword, isPassword, openHashes, sealHashes, wasPassword, withPassword } from '../passwords/index.ts';
import { need, resourceOf, userNameOf } from './access.ts';
import { put, userIn } from './change.ts';
import { findHolder } from './holders.ts';
import type { Iam, IamOperations } from './iam.ts';
import { openToItself } from './password-policy.ts';

const unknown = (user: string): AwsError => noSuchEntity(`Login Profile for User ${user} cannot be found.`);

/** Passwords of users for the console. Only hashes of them are kept, sealed. */
export function loginProfileOperations(iam: Iam): IamOperations {
  const { seal, random } = iam.accounts.ports;

  const subject = async (call: Call, named: string | undefined): Promise<UserEntity> =>
    findHolder(iam, call.account, 'user', await userNameOf(iam, call, named));

  const access = (action: string) => async (input: { UserName?: string | undefined }, call: Call) =>
    need(action, await resourceOf.user(iam, call, await userNameOf(iam, call, input.UserName)));

  /** A checked new password as it is stored. @throws AwsError `PasswordPolicyViolationException` */
  async function sealedPassword(account: string, user: UserEntity, password: string, before?: LoginProfileEntity) {
    const policy = await iam.find(account, keys.passwordPolicy);
    const alias = (await iam.find(account, keys.alias))?.alias;
    checkPassword(password, policy, { account, alias });
    const known = before === undefined ? undefined : openHashes(seal, before);
    const remember = policy?.reusePrevention ?? 0;
    if (known !== undefined && remember > 0 && (await wasPassword(known, password, remember))) {
      throw new AwsError(
        'PasswordPolicyViolationException',
        `Password should differ from the last ${remember} passwords`,
      );
    }
    return sealHashes(seal, user.id, await withPassword(known, password, remember, random));
  }

  /** Replaces a profile that is still what it was, of a user who is still there. */
  const replace = (call: Call, user: UserEntity, before: LoginProfileEntity, after: Partial<LoginProfileEntity>) =>
    iam.transact(call.account, async (tx) => {
      const now = await tx.get<LoginProfileEntity>(keys.loginProfile((await userIn(tx, user.name)).id));
      if (now === undefined) throw unknown(user.name);
      if (now.sealed !== before.sealed) {
        throw new AwsError(
          'EntityTemporarilyUnmodifiableException',
          `The password of ${user.name} has just been changed by another request. Try again.`,
          { status: 409 },
        );
      }
      tx.put(keys.loginProfile(user.id), asJson({ ...now, ...after }));
    });

  /**
   * When a password is set that comes after another: sessions end by it, whatever the clocks of two servers say.
   * @param before when the other one was set
   */
  const later = (before: number): number => Math.max(iam.now(), before + 1);

  const show = (
    user: UserEntity,
    { created, resetRequired }: Pick<LoginProfileEntity, 'created' | 'resetRequired'>,
  ) => ({
    LoginProfile: { UserName: user.name, CreateDate: new Date(created), PasswordResetRequired: resetRequired },
  });

  return {
    CreateLoginProfile: {
      access: access('CreateLoginProfile'),
      async handle(input, call) {
        const user = await subject(call, input.UserName);
        if (input.Password === undefined) throw validationError('A login profile of a user needs a Password.');
        const exists = () => alreadyExists(`Login Profile for User ${user.name} already exists.`);
        if ((await iam.find(call.account, keys.loginProfile(user.id))) !== undefined) throw exists();
        const profile = {
          kind: 'login-profile',
          userId: user.id,
          created: iam.now(),
          resetRequired: input.PasswordResetRequired ?? false,
          sealed: await sealedPassword(call.account, user, input.Password),
        } as const;
        await iam.transact(call.account, async (tx) => {
          const { id, passwordGone = 0 } = await userIn(tx, user.name);
          const key = keys.loginProfile(id);
          if ((await tx.get(key)) !== undefined) throw exists();
          if (id !== user.id) throw noSuchEntity(`The user with name ${user.name} cannot be found.`);
          tx.put(key, asJson({ ...profile, changed: later(passwordGone) }));
        });
        return show(user, profile);
      },
    },

    GetLoginProfile: {
      access: access('GetLoginProfile'),
      async handle(input, call) {
        const user = await subject(call, input.UserName);
        const profile = await iam.find(call.account, keys.loginProfile(user.id));
        if (profile === undefined) throw unknown(user.name);
        return show(user, profile);
      },
    },

    UpdateLoginProfile: {
      access: access('UpdateLoginProfile'),
      async handle(input, call) {
        const user = await subject(call, input.UserName);
        const before = await iam.find(call.account, keys.loginProfile(user.id));
        if (before === undefined) throw unknown(user.name);
        const { Password, PasswordResetRequired } = input;
        await replace(call, user, before, {
          ...(PasswordResetRequired === undefined ? {} : { resetRequired: PasswordResetRequired }),
          ...(Password === undefined
            ? {}
            : { sealed: await sealedPassword(call.account, user, Password, before), changed: later(before.changed) }),
        });
        return {};
      },
    },

    DeleteLoginProfile: {
      access: access('DeleteLoginProfile'),
      async handle(input, call) {
        const user = await subject(call, input.UserName);
        await iam.transact(call.account, async (tx) => {
          const holder = await userIn(tx, user.name);
          const key = keys.loginProfile(holder.id);
          const profile = await tx.get<LoginProfileEntity>(key);
          if (profile === undefined) throw unknown(user.name);
          tx.remove(key);
          put(tx, { ...holder, passwordGone: profile.changed });
        });
        await iam.attempts.succeeded(call.account, user.id);
        return {};
      },
    },

    // For the caller's own password only; wrong old ones are counted as wrong sign-ins are.
    ChangePassword: {
      access: async (_input, call) => {
        const own = await resourceOf.user(iam, call, await ownName(iam, call));
        return need('ChangePassword', await openToItself(iam, call, 'ChangePassword', own));
      },
      async handle(input, call) {
        const user = await subject(call, await ownName(iam, call));
        const before = await iam.find(call.account, keys.loginProfile(user.id));
        if (before === undefined) throw unknown(user.name);
        const wait = await iam.attempts.begin(call.account, user.id);
        if (wait > 0)
          throw new AwsError('Throttling', `Too many wrong passwords. Try again in ${Math.ceil(wait / 1000)} seconds.`);
        if (!(await isPassword(openHashes(seal, before), input.OldPassword ?? '')))
          throw accessDenied('The old password was incorrect.');
        await iam.attempts.succeeded(call.account, user.id);
        const sealed = await sealedPassword(call.account, user, input.NewPassword ?? '', before);
        await replace(call, user, before, { sealed, changed: later(before.changed), resetRequired: false });
        return {};
      },
    },
  };
}

/** @throws AwsError `InvalidUserTypeException` when the caller is no user */
async function ownName(iam: Iam, call: Call): Promise<string> {
  if (call.principal.type !== 'user')
    throw new AwsError('InvalidUserTypeException', 'Only users can change their password with this operation.');
  return userNameOf(iam, call, undefined);
}
