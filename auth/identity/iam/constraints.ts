import type { Constraints } from '../../contract/index.ts';

const name = (max: number) => ({ min: 1, max, pattern: /^[\w+=,.@-]+$/ });
const path = { min: 1, max: 512, pattern: /^(?:\/|\/[!-~]+\/)$/ };
const arn = { min: 20, max: 2048 };
const password = { min: 1, max: 128, pattern: /^[\t\n\r\u0020-\u00ff]+$/ };
const document = { min: 1, max: 131_072, pattern: /^[\t\n\r\u0020-\u00ff]+$/ };

/** IAM API reference: lengths and patterns of names, paths, documents and tags, for every operation that has the member. */
export const iamConstraints: Constraints = {
  // A name that is looked up may be as long as any ever was; new names are shorter.
  UserName: name(128),
  'CreateUserRequest.UserName': name(64),
  'UpdateUserRequest.NewUserName': name(64),
  GroupName: name(128),
  NewGroupName: name(128),
  RoleName: name(64),
  PolicyName: name(128),
  InstanceProfileName: name(128),
  Path: path,
  NewPath: path,
  PathPrefix: { min: 1, max: 512, pattern: /^\/[!-~]*$/ },
  // Longer than IAM's own: markers are signed here, and hold a key that may be an ARN.
  Marker: { min: 1, max: 4096 },
  MaxItems: { min: 1, max: 1000, integer: true },
  MaxSessionDuration: { min: 3600, max: 43_200, integer: true },
  Description: { min: 0, max: 1000, pattern: /^[\t\n\r\u0020-\u007e\u00a1-\u00ff]*$/ },
  PolicyArn: arn,
  PermissionsBoundary: arn,
  PolicySourceArn: arn,
  PolicyDocument: document,
  AssumeRolePolicyDocument: document,
  VersionId: { min: 1, max: 32, pattern: /^v[1-9][0-9]*$/ },
  AccessKeyId: { min: 16, max: 128, pattern: /^\w+$/ },
  'UpdateAccessKeyRequest.Status': { values: ['Active', 'Inactive'] },
  Tags: { min: 0, max: 50 },
  TagKeys: { min: 0, max: 50 },
  'Tag.Key': { min: 1, max: 128, pattern: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$/u },
  'Tag.Value': { min: 0, max: 256, pattern: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u },
  'TagKeys[]': { min: 1, max: 128 },
  'CreateOpenIDConnectProviderRequest.Url': { min: 1, max: 255 },
  'ClientIDList[]': { min: 1, max: 255 },
  ClientID: { min: 1, max: 255 },
  ThumbprintList: { min: 0, max: 5 },
  'ThumbprintList[]': { min: 40, max: 40, pattern: /^[0-9a-fA-F]+$/ },
  OpenIDConnectProviderArn: arn,
  AWSServiceName: { min: 1, max: 128, pattern: /^[\w+=,.@-]+$/ },
  DeletionTaskId: { min: 1, max: 1000 },
  Scope: { values: ['All', 'AWS', 'Local'] },
  PolicyUsageFilter: { values: ['PermissionsPolicy', 'PermissionsBoundary'] },
  EntityFilter: { values: ['User', 'Role', 'Group', 'LocalManagedPolicy', 'AWSManagedPolicy'] },
  AccountAlias: { min: 3, max: 63, pattern: /^(?!\d{12}$)[a-z0-9](?:[a-z0-9]|-(?!-))*[a-z0-9]$/ },
  Password: password,
  OldPassword: password,
  NewPassword: password,
  MinimumPasswordLength: { min: 6, max: 128, integer: true },
  MaxPasswordAge: { min: 1, max: 1095, integer: true },
  PasswordReusePrevention: { min: 1, max: 24, integer: true },
  ActionNames: { min: 1, max: 1000 },
  'ActionNames[]': { min: 3, max: 128 },
  ResourceArns: { min: 0, max: 1000 },
  'ResourceArns[]': { min: 1, max: 2048 },
  ResourceOwner: { min: 1, max: 2048 },
  CallerArn: { min: 1, max: 2048 },
  ContextEntries: { min: 0, max: 1000 },
};
