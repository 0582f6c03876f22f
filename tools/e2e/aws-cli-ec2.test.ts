import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { ServerProcess } from '../testbed/server-process.ts';

const missing = await missingAwsCli();
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

const folder = mkdtempSync(join(tmpdir(), 'slipway-cli-ec2-'));
let server: ServerProcess;
let aws: AwsCli;

beforeAll(async () => {
  if (missing !== undefined) return;
  server = new ServerProcess(await freePort(), join(folder, 'data'), { SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
  await server.start();
  aws = new AwsCli(server.aws());
});

afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const ec2 = <T>(...args: string[]): Promise<T> => aws.json<T>(['ec2', ...args]);

test.skipIf(missing !== undefined)(
  `the AWS CLI makes a network, opens a port in it, waits for its gateway, and takes it down${missing ? ` (${missing})` : ''}`,
  async () => {
    const { Vpc } = await ec2<{ Vpc: { VpcId: string } }>(
      'create-vpc',
      '--cidr-block',
      '10.0.0.0/16',
      '--tag-specifications',
      'ResourceType=vpc,Tags=[{Key=Name,Value=shop}]',
    );
    const found = await ec2<{ Vpcs: object[] }>('describe-vpcs', '--filters', 'Name=tag:Name,Values=sh*');
    expect(found.Vpcs).toMatchObject([{ VpcId: Vpc.VpcId, CidrBlock: '10.0.0.0/16', Tags: [{ Value: 'shop' }] }]);
    const inVpc = ['--vpc-id', Vpc.VpcId];
    const { Subnet } = await ec2<{ Subnet: { SubnetId: string } }>(
      'create-subnet',
      ...inVpc,
      '--cidr-block',
      '10.0.1.0/24',
    );
    const { GroupId } = await ec2<{ GroupId: string }>(
      'create-security-group',
      ...inVpc,
      '--group-name',
      'web',
      '--description',
      'the web',
    );
    const open = ['--group-id', GroupId, '--protocol', 'tcp', '--port', '80', '--cidr', '0.0.0.0/0'];
    expect(await ec2('authorize-security-group-ingress', ...open)).toMatchObject({
      Return: true,
      SecurityGroupRules: [{ GroupId, IpProtocol: 'tcp', FromPort: 80, CidrIpv4: '0.0.0.0/0' }],
    });
    const again = await aws.run(['ec2', 'authorize-security-group-ingress', ...open]);
    expect(again.stderr).toMatch(/\(InvalidPermission.Duplicate\).*"peer: 0.0.0.0\/0, TCP, from port: 80/);

    const { InternetGateway } = await ec2<{ InternetGateway: { InternetGatewayId: string } }>(
      'create-internet-gateway',
    );
    const gateway = ['--internet-gateway-id', InternetGateway.InternetGatewayId];
    await ec2('attach-internet-gateway', ...gateway, ...inVpc);
    const { AllocationId } = await ec2<{ AllocationId: string }>('allocate-address', '--domain', 'vpc');
    const { NatGateway } = await ec2<{ NatGateway: { NatGatewayId: string } }>(
      'create-nat-gateway',
      '--subnet-id',
      Subnet.SubnetId,
      '--allocation-id',
      AllocationId,
    );
    const nat = ['--nat-gateway-ids', NatGateway.NatGatewayId];
    await ec2('wait', 'nat-gateway-available', ...nat);

    const early = await aws.run(['ec2', 'delete-vpc', ...inVpc]);
    expect(early.stderr).toMatch(/\(DependencyViolation\).*delete subnet-/);
    await ec2('delete-nat-gateway', '--nat-gateway-id', NatGateway.NatGatewayId);
    await ec2('wait', 'nat-gateway-deleted', ...nat);
    await ec2('release-address', '--allocation-id', AllocationId);
    await ec2('detach-internet-gateway', ...gateway, ...inVpc);
    await ec2('delete-internet-gateway', ...gateway);
    await ec2('delete-subnet', '--subnet-id', Subnet.SubnetId);
    await ec2('delete-security-group', '--group-id', GroupId);
    await ec2('delete-vpc', ...inVpc);
    const gone = await aws.run(['ec2', 'describe-vpcs', '--vpc-ids', Vpc.VpcId]);
    expect(gone.stderr).toMatch(/\(InvalidVpcID.NotFound\).*does not exist/);
    const refused = await aws.run(['ec2', 'describe-instance-types']);
    expect(refused.stderr).toMatch(/\(UnsupportedOperation\).*DescribeInstanceTypes.*slipway agent/);
  },
  600_000,
);
