import { awsQuery, type Constraints, defineService, type ServiceDefinition } from '../../contract/index.ts';
import { assumeRoleOperations } from './assume-role.ts';
import { webIdentityOperations } from './assume-role-with-web-identity.ts';
import { callerOperations } from './callers.ts';
import type { Sts, StsModule } from './sts.ts';
import { userSessionOperations } from './user-sessions.ts';

const sessionName = { min: 2, max: 64, pattern: /^[\w+=,.@-]*$/ };
const arn = { min: 20, max: 2048 };

/** STS API reference. */
const constraints: Constraints = {
  RoleArn: arn,
  'PolicyDescriptorType.arn': arn,
  RoleSessionName: sessionName,
  SourceIdentity: sessionName,
  Policy: { min: 1, max: 2048 },
  PolicyArns: { min: 0, max: 10 },
  'AssumeRoleRequest.DurationSeconds': { min: 900, max: 43_200, integer: true },
  'AssumeRoleWithWebIdentityRequest.DurationSeconds': { min: 900, max: 43_200, integer: true },
  'GetSessionTokenRequest.DurationSeconds': { min: 900, max: 129_600, integer: true },
  'GetFederationTokenRequest.DurationSeconds': { min: 900, max: 129_600, integer: true },
  'GetFederationTokenRequest.Name': { min: 2, max: 32, pattern: /^[\w+=,.@-]*$/ },
  ExternalId: { min: 2, max: 1224, pattern: /^[\w+=,.@:/-]*$/ },
  SerialNumber: { min: 9, max: 256, pattern: /^[\w+=/:,.@-]*$/ },
  TokenCode: { min: 6, max: 6, pattern: /^\d*$/ },
  WebIdentityToken: { min: 4, max: 20_000 },
  Tags: { min: 0, max: 50 },
  TransitiveTagKeys: { min: 0, max: 50 },
  'TransitiveTagKeys[]': { min: 1, max: 128 },
  'Tag.Key': { min: 1, max: 128, pattern: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$/u },
  'Tag.Value': { min: 0, max: 256, pattern: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u },
  AccessKeyId: { min: 16, max: 128, pattern: /^\w*$/ },
};

/** The STS API (2011-06-15). `DecodeAuthorizationMessage` is not there: denials are never encoded, they say plainly why. */
export function stsService(sts: Sts): ServiceDefinition {
  return defineService<StsModule>({
    name: 'sts',
    protocol: awsQuery('2011-06-15', 'https://sts.amazonaws.com/doc/2011-06-15/'),
    load: () => import('@aws-sdk/client-sts'),
    constraints,
    operations: {
      ...callerOperations(),
      ...assumeRoleOperations(sts),
      ...userSessionOperations(sts),
      ...webIdentityOperations(sts),
    },
  });
}
