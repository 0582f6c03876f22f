import type { JWTPayload } from 'jose';
import { AwsError, type Call } from '../../contract/index.ts';
import { compiledPolicy, contextOf, evaluate } from '../../policy/index.ts';
import { oidcProviderArn, roleArn, sessionArn } from '../arns.ts';
import type { OidcProviderEntity, RoleEntity } from '../entities.ts';
import { keys, partitionOf } from '../keys.ts';
import { accessDenied, validationError } from '../errors.ts';
import { showAssumedRole, showCredentials, showPacked } from './answer.ts';
import { readSessionPolicies } from './session-input.ts';
import type { Sts, StsOperations } from './sts.ts';

/** One answer whether the role is missing or does not trust the token, so that nobody learns which roles exist. */
const notAuthorized = (): AwsError => accessDenied('Not authorized to perform sts:AssumeRoleWithWebIdentity');

async function providerOf(sts: Sts, account: string, issuer: string): Promise<OidcProviderEntity> {
  const url = issuer.replace(/^https:\/\//, '').replace(/\/$/, '');
  const stored = await sts.accounts.ports.records.get<OidcProviderEntity>(partitionOf(account), keys.oidcProvider(url));
  if (!issuer.startsWith('https://') || stored === undefined) {
    throw new AwsError(
      'InvalidIdentityTokenException',
      `No OpenIDConnect provider found in your account for ${issuer}`,
    );
  }
  return stored.value;
}

/** Claims as condition keys: `<provider>:sub`, `<provider>:aud`, and every other claim that is text or a list of texts. */
function claimKeys(url: string, claims: JWTPayload): Record<string, string | readonly string[]> {
  const found: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(claims)) {
    const key = `${url}:${name}`;
    if (typeof value === 'string') found[key] = value;
    else if (typeof value === 'boolean' || typeof value === 'number') found[key] = String(value);
    else if (Array.isArray(value) && value.every((each) => typeof each === 'string')) found[key] = value as string[];
  }
  // One audience is a single value, so that StringEquals and policy variables work with it.
  const audience = claims.aud;
  if (Array.isArray(audience) && audience.length === 1) found[`${url}:aud`] = audience[0] as string;
  return found;
}

function trusts(
  account: string,
  role: RoleEntity,
  provider: OidcProviderEntity,
  claims: JWTPayload,
  session: string,
  call: Call,
): boolean {
  const arn = roleArn(account, role);
  const providerArn = oidcProviderArn(account, provider.url);
  return evaluate(
    { identity: [] },
    {
      principal: { type: 'web-identity', account: '', arn: providerArn, id: `${providerArn}:${String(claims.sub)}` },
      action: 'sts:AssumeRoleWithWebIdentity',
      resource: arn,
      resourceAccount: account,
      resourcePolicies: [{ name: `resource:${arn}`, policy: compiledPolicy(role.trust, 'trust') }],
      trust: true,
      context: contextOf({
        ...claimKeys(provider.url, claims),
        'aws:FederatedProvider': providerArn,
        'aws:SourceIp': call.sourceIp,
        'aws:UserAgent': call.userAgent,
        'aws:CurrentTime': call.time.toISOString(),
        'aws:EpochTime': String(Math.floor(call.time.getTime() / 1000)),
        'aws:SecureTransport': String(call.endpoint.startsWith('https:')),
        'aws:RequestedRegion': call.region,
        'sts:RoleSessionName': session,
      }),
    },
  ).allowed;
}

export function webIdentityOperations(sts: Sts): StsOperations {
  return {
    AssumeRoleWithWebIdentity: {
      // The token is the credential; who it may be is decided below, by the role's trust policy.
      access: 'anonymous',
      async handle(input, call) {
        if (input.ProviderId !== undefined) {
          throw validationError(
            'ProviderId is for OAuth 2.0 providers, which are not supported: leave it out and use OpenID Connect',
          );
        }
        const token = input.WebIdentityToken ?? '';
        const issuer = sts.webIdentities.issuerOf(token);
        const found = await sts.role(input.RoleArn);
        if (found === undefined) throw notAuthorized();
        const { account, role } = found;
        const provider = await providerOf(sts, account, issuer);
        const claims = await sts.webIdentities.verify(token, issuer, provider.clientIds);
        const name = input.RoleSessionName ?? '';
        if (!trusts(account, role, provider, claims, name, call)) throw notAuthorized();
        const duration = input.DurationSeconds ?? 3600;
        if (duration > role.maxSession) {
          throw validationError('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
        }
        const { policies, packed } = await readSessionPolicies(sts.accounts, account, input);
        const credentials = await sts.sessions.issue(account, {
          kind: 'role-session',
          arn: sessionArn(account, role.name, name),
          principalId: `${role.id}:${name}`,
          issuerId: role.id,
          expires: sts.now() + duration * 1000,
          tags: {},
          transitiveTags: [],
          federatedProvider: oidcProviderArn(account, provider.url),
          ...(policies === undefined ? {} : { policies }),
        });
        return {
          Credentials: showCredentials(credentials),
          SubjectFromWebIdentityToken: claims.sub,
          AssumedRoleUser: showAssumedRole(account, role, name),
          Provider: oidcProviderArn(account, provider.url),
          Audience: Array.isArray(claims.aud) ? claims.aud[0] : claims.aud,
          ...showPacked(packed),
        };
      },
    },
  };
}
