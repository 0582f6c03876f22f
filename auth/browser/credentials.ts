import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { GatewayError, type Principal } from '../contract/index.ts';
import type { Identity } from '../identity/index.ts';
import { type OidcSignIn, returnedSchema } from './oidc.ts';
import type { Sessions } from './sessions.ts';

const text = z.string().min(1).max(4096);

/** The ways to sign in: an access key, a user's password, a code of `slipway console`, or what an identity provider sent back. */
export const signInSchema = z.union([
  z.strictObject({
    accessKeyId: z.string().regex(/^[A-Z0-9]{16,128}$/),
    secretAccessKey: z.string().min(1).max(256),
    sessionToken: text.optional(),
  }),
  z.strictObject({ account: z.string().min(1).max(63), user: z.string().min(1).max(128), password: text }),
  z.strictObject({ code: z.string().max(64) }),
  z.strictObject({ oidc: returnedSchema }),
]);

export type SignIn = z.infer<typeof signInSchema>;

export interface SignInPorts {
  readonly identity: Pick<Identity, 'credentials' | 'signIn'>;
  readonly sessions: Sessions;
  /** Undefined: nobody signs in by OpenID Connect. */
  readonly oidc: OidcSignIn | undefined;
}

/** Where a sign-in comes from. */
export interface From {
  readonly sourceIp: string;
  readonly userAgent: string;
  readonly endpoint: string;
}

/**
 * Who signs in.
 * @throws GatewayError `unauthenticated`, which the front door counts as a failed login of the address; `throttled`
 */
export async function whoSignsIn(given: SignIn, from: From, ports: SignInPorts): Promise<Principal> {
  if ('oidc' in given) {
    if (ports.oidc === undefined) throw refused('Nobody signs in here by OpenID Connect.');
    return ports.oidc.finish(given.oidc, from);
  }
  if ('code' in given) {
    const principal = await ports.sessions.takeCode(given.code);
    if (principal === undefined)
      throw refused('This address was used already, or is older than a minute. Run `npx slipway console` again.');
    return principal;
  }
  return 'user' in given ? byPassword(given, from.sourceIp, ports) : byKey(given, ports);
}

async function byKey(
  { accessKeyId, secretAccessKey, sessionToken }: Extract<SignIn, { accessKeyId: string }>,
  { identity }: SignInPorts,
): Promise<Principal> {
  const found = await identity.credentials.find(accessKeyId, sessionToken);
  // What was wrong is not told: which keys there are is nobody's to find out.
  if ('refused' in found) throw refused('There is no such access key, or its secret is another.');
  const [wanted, given] = [found.secret, secretAccessKey].map((one) => createHash('sha256').update(one).digest());
  if (!timingSafeEqual(wanted as Buffer, given as Buffer))
    throw refused('There is no such access key, or its secret is another.');
  return found.principal;
}

async function byPassword(
  attempt: Extract<SignIn, { user: string }>,
  sourceIp: string,
  { identity }: SignInPorts,
): Promise<Principal> {
  const verdict = await identity.signIn({ ...attempt, sourceIp });
  switch (verdict.outcome) {
    case 'wait':
      throw new GatewayError(
        'throttled',
        'There were too many wrong passwords. Wait, then try again.',
        Math.ceil(verdict.milliseconds / 1000),
      );
    case 'expired':
      throw refused('The password has run out. An administrator can set another one: aws iam update-login-profile.');
    case 'refused':
      throw refused('The account, the user or the password is wrong.');
    case 'accepted':
      if (verdict.mustChange)
        throw refused('The password must be changed first: aws iam change-password, with an access key of the user.');
      return verdict.principal;
  }
}

const refused = (message: string): GatewayError => new GatewayError('unauthenticated', message);
