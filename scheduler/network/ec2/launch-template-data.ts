import type { TemplateData } from '../records/index.ts';

import { invalidValue } from './errors.ts';
import { as, flag, list, number, refused, type Shape, struct, tag, text, texts } from './shapes.ts';

const noSpot =
  'Machines are bought by nobody here: leave the market out; hosts that may be taken back say so themselves (SLIPWAY_SPOT).';
const oneType =
  'Machines are not chosen by what they need: name an InstanceType, which the provider of machines understands.';
const notKept = 'Machines are ended with TerminateInstances, or kept by their group (SetInstanceProtection).';
const ofAws = 'That is hardware of AWS: leave it out.';

/** A member whose name on the wire is another one in answers than in requests. */
type Side = 'Request' | 'Response';
const named = (side: Side, request: string, response: string): string => (side === 'Request' ? request : response);

/** The members of what a template says; requests and answers name lists otherwise. */
const dataMembers = (side: Side) => ({
  ImageId: text,
  InstanceType: text,
  UserData: text,
  KeyName: text,
  EbsOptimized: flag,
  InstanceInitiatedShutdownBehavior: text,
  IamInstanceProfile: struct(`LaunchTemplateIamInstanceProfileSpecification${side}`, { Arn: text, Name: text }),
  SecurityGroupIds: as(named(side, 'SecurityGroupId', 'securityGroupIdSet'), texts),
  SecurityGroups: as(named(side, 'SecurityGroup', 'securityGroupSet'), texts),
  Monitoring: struct(`LaunchTemplatesMonitoring${side}`, { Enabled: flag }),
  Placement: struct(`LaunchTemplatePlacement${side}`, { AvailabilityZone: text, GroupName: text, Tenancy: text }),
  CreditSpecification: struct(`CreditSpecification${side}`, { CpuCredits: text }),
  CpuOptions: struct(`LaunchTemplateCpuOptions${side}`, { CoreCount: number, ThreadsPerCore: number }),
  MetadataOptions: struct(`LaunchTemplateInstanceMetadataOptions${side}`, {
    HttpTokens: text,
    HttpPutResponseHopLimit: number,
    HttpEndpoint: text,
    HttpProtocolIpv6: text,
    InstanceMetadataTags: text,
  }),
  MaintenanceOptions: struct(`LaunchTemplateInstanceMaintenanceOptions${side}`, { AutoRecovery: text }),
  BlockDeviceMappings: as(
    named(side, 'BlockDeviceMapping', 'blockDeviceMappingSet'),
    list(
      struct(`LaunchTemplateBlockDeviceMapping${side}`, {
        DeviceName: text,
        VirtualName: text,
        NoDevice: text,
        Ebs: struct(`LaunchTemplateEbsBlockDevice${side}`, {
          Encrypted: flag,
          DeleteOnTermination: flag,
          Iops: number,
          KmsKeyId: text,
          SnapshotId: text,
          VolumeSize: number,
          VolumeType: text,
          Throughput: number,
        }),
      }),
    ),
  ),
  NetworkInterfaces: as(
    named(side, 'NetworkInterface', 'networkInterfaceSet'),
    list(
      struct(`LaunchTemplateInstanceNetworkInterfaceSpecification${side}`, {
        AssociatePublicIpAddress: flag,
        DeleteOnTermination: flag,
        Description: text,
        DeviceIndex: number,
        Groups: as(named(side, 'SecurityGroupId', 'groupSet'), texts),
        SubnetId: text,
      }),
    ),
  ),
  TagSpecifications: as(
    named(side, 'TagSpecification', 'tagSpecificationSet'),
    list(
      struct(`LaunchTemplateTagSpecification${side}`, {
        ResourceType: text,
        Tags: as(named(side, 'Tag', 'tagSet'), list(tag)),
      }),
    ),
  ),
  KernelId: refused(text, ofAws),
  RamDiskId: refused(text, ofAws),
  DisableApiTermination: refused(flag, notKept),
  DisableApiStop: refused(flag, notKept),
  ElasticGpuSpecifications: refused(
    as(
      named(side, 'ElasticGpuSpecification', 'elasticGpuSpecificationSet'),
      list(struct('ElasticGpu', { Type: text })),
    ),
    ofAws,
  ),
  InstanceMarketOptions: refused(struct(`LaunchTemplateInstanceMarketOptions${side}`, { MarketType: text }), noSpot),
  InstanceRequirements: refused(
    struct(`InstanceRequirements${side}`, {
      VCpuCount: struct(`VCpuCountRange${side}`, { Min: number, Max: number }),
      MemoryMiB: struct(`MemoryMiB${side}`, { Min: number, Max: number }),
    }),
    oneType,
  ),
  HibernationOptions: refused(struct(`LaunchTemplateHibernationOptions${side}`, { Configured: flag }), notKept),
  EnclaveOptions: refused(struct(`LaunchTemplateEnclaveOptions${side}`, { Enabled: flag }), ofAws),
  CapacityReservationSpecification: refused(
    struct(`LaunchTemplateCapacityReservationSpecification${side}`, { CapacityReservationPreference: text }),
    ofAws,
  ),
  LicenseSpecifications: refused(
    as(
      named(side, 'LicenseSpecification', 'licenseSet'),
      list(struct(`LaunchTemplateLicenseConfiguration${side}`, { LicenseConfigurationArn: text })),
    ),
    ofAws,
  ),
});

/** What a template says, in a request and in an answer. What it has is handed to the provider that makes the machines, word by word. */
export const requestData: Shape<object> = struct('RequestLaunchTemplateData', dataMembers('Request'));
export const responseData: Shape<object> = struct('ResponseLaunchTemplateData', dataMembers('Response'));

/** As EC2: so many bytes of user data. */
const mostUserData = 16_384;

/**
 * What a request says of machines, as it is kept.
 * @throws InvalidUserData.Malformed, InvalidParameterValue
 */
export function checkedData(given: object): TemplateData {
  const data = JSON.parse(JSON.stringify(given)) as TemplateData;
  const { UserData, InstanceType, ImageId, IamInstanceProfile } = data;
  if (UserData !== undefined) checkUserData(UserData);
  if (InstanceType !== undefined && !/^[a-z0-9][a-z0-9.-]{0,63}$/.test(InstanceType))
    throw invalidValue(InstanceType, 'InstanceType', 'An instance type has letters, digits, points and hyphens.');
  if (ImageId !== undefined && !/^[\w:/.-]{1,255}$/.test(ImageId))
    throw invalidValue(ImageId, 'ImageId', 'An image has an id like ami-0123456789abcdef0.');
  if (IamInstanceProfile?.Arn !== undefined && IamInstanceProfile.Name !== undefined)
    throw invalidValue(IamInstanceProfile.Name, 'IamInstanceProfile', 'Name the profile by its ARN or by its name.');
  return data;
}

function checkUserData(text: string): void {
  const isBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text);
  if (!isBase64) throw invalidValue('UserData', 'UserData', 'User data must be encoded in base64.');
  if (Buffer.byteLength(text, 'base64') > mostUserData)
    throw invalidValue('UserData', 'UserData', `User data is limited to ${mostUserData} bytes.`);
}
