import type { AssumeRoleWithWebIdentityResponse } from '@aws-sdk/client-sts';
import type { Call, Principal } from '../../contract/index.ts';
import type { Credentials } from '../../sigv4/index.ts';
import { webIdentityOperations } from './assume-role-with-web-identity.ts';
import type { Sts } from './sts.ts';

/** No session lasts longer, whatever the role says. Seconds. */
const most = 43_200;

/**
 * Takes a role on with a token of an OpenID Connect provider, by the very operation that STS serves: the token is verified, and the role's trust
 * policy decides. The session lasts as long as the role lets one last.
 * @throws AwsError as `AssumeRoleWithWebIdentity` does
 */
export async function takeRoleWithWebIdentity(
  sts: Sts,
  credentials: Credentials,
  taking: { readonly roleArn: string; readonly token: string; readonly sessionName: string },
  call: Call,
): Promise<Principal> {
  const { AssumeRoleWithWebIdentity: operation } = webIdentityOperations(sts);
  const found = await sts.role(taking.roleArn);
  const answer = (await operation?.handle(
    {
      RoleArn: taking.roleArn,
      RoleSessionName: taking.sessionName,
      WebIdentityToken: taking.token,
      DurationSeconds: Math.min(most, found?.role.maxSession ?? 3600),
    },
    call,
  )) as AssumeRoleWithWebIdentityResponse;
  const { AccessKeyId = '', SessionToken } = answer.Credentials ?? {};
  const issued = await credentials.find(AccessKeyId, SessionToken);
  if ('refused' in issued) throw new Error(`the session that was just issued is refused: ${issued.refused}`);
  return issued.principal;
}
