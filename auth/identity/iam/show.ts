import type { AttachedPermissionsBoundary, Group, InstanceProfile, Policy, Role, User } from '@aws-sdk/client-iam';
import { groupArn, policyArn, profileArn, roleArn, userArn } from '../arns.ts';
import type { GroupEntity, InstanceProfileEntity, PolicyEntity, RoleEntity, UserEntity } from '../entities.ts';
import { tagList } from '../../kit/index.ts';
import type { AwsManagedPolicy } from '../managed/index.ts';

/** Policy documents travel URL-encoded (RFC 3986) in IAM's answers. */
export function encodeDocument(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}

function boundary(arn: string | undefined): { PermissionsBoundary?: AttachedPermissionsBoundary } {
  if (arn === undefined) return {};
  return { PermissionsBoundary: { PermissionsBoundaryType: 'PermissionsBoundaryPolicy', PermissionsBoundaryArn: arn } };
}

/** Without tags and boundary, as in lists. */
export function showUserBriefly(account: string, user: UserEntity): User {
  return {
    Path: user.path,
    UserName: user.name,
    UserId: user.id,
    Arn: userArn(account, user),
    CreateDate: new Date(user.created),
  };
}

export function showUser(account: string, user: UserEntity): User {
  return {
    ...showUserBriefly(account, user),
    ...boundary(user.boundary),
    ...(Object.keys(user.tags).length === 0 ? {} : { Tags: tagList(user.tags) }),
  };
}

export function showGroup(account: string, group: GroupEntity): Group {
  return {
    Path: group.path,
    GroupName: group.name,
    GroupId: group.id,
    Arn: groupArn(account, group),
    CreateDate: new Date(group.created),
  };
}

/** Without tags and boundary, as in lists. @param trust the trust policy as it is shown, principals by ARN */
export function showRoleBriefly(account: string, role: RoleEntity, trust: string): Role {
  return {
    Path: role.path,
    RoleName: role.name,
    RoleId: role.id,
    Arn: roleArn(account, role),
    CreateDate: new Date(role.created),
    AssumeRolePolicyDocument: encodeDocument(trust),
    ...(role.description === '' ? {} : { Description: role.description }),
    MaxSessionDuration: role.maxSession,
  };
}

export function showRole(account: string, role: RoleEntity, trust: string): Role {
  return {
    ...showRoleBriefly(account, role, trust),
    ...boundary(role.boundary),
    ...(Object.keys(role.tags).length === 0 ? {} : { Tags: tagList(role.tags) }),
  };
}

export function showProfile(account: string, profile: InstanceProfileEntity, roles: Role[]): InstanceProfile {
  return {
    Path: profile.path,
    InstanceProfileName: profile.name,
    InstanceProfileId: profile.id,
    Arn: profileArn(account, profile),
    CreateDate: new Date(profile.created),
    Roles: roles,
    ...(Object.keys(profile.tags).length === 0 ? {} : { Tags: tagList(profile.tags) }),
  };
}

export interface PolicyUse {
  readonly attachments: number;
  readonly boundaries: number;
}

/** Without description and tags, as in lists. */
export function showPolicyBriefly(account: string, policy: PolicyEntity, use: PolicyUse): Policy {
  return {
    PolicyName: policy.name,
    PolicyId: policy.id,
    Arn: policyArn(account, policy),
    Path: policy.path,
    DefaultVersionId: policy.defaultVersion,
    AttachmentCount: use.attachments,
    PermissionsBoundaryUsageCount: use.boundaries,
    IsAttachable: true,
    CreateDate: new Date(policy.created),
    UpdateDate: new Date(policy.updated),
  };
}

export function showPolicy(account: string, policy: PolicyEntity, use: PolicyUse): Policy {
  return {
    ...showPolicyBriefly(account, policy, use),
    ...(policy.description === undefined ? {} : { Description: policy.description }),
    Tags: tagList(policy.tags),
  };
}

export function showAwsPolicy(policy: AwsManagedPolicy, use: PolicyUse): Policy {
  return {
    PolicyName: policy.name,
    PolicyId: policy.id,
    Arn: policy.arn,
    Path: policy.path,
    DefaultVersionId: 'v1',
    AttachmentCount: use.attachments,
    PermissionsBoundaryUsageCount: use.boundaries,
    IsAttachable: true,
    Description: policy.description,
    Tags: [],
    CreateDate: new Date(policy.created),
    UpdateDate: new Date(policy.created),
  };
}
