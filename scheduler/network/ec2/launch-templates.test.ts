import { describe, expect, test } from 'vitest';

import { type Answer, openNetworks } from '../testing/open-networks.ts';

const UserData = Buffer.from('#!/bin/bash\necho ECS_CLUSTER=web >> /etc/ecs/ecs.config\n').toString('base64');
const data = { ImageId: 'ami-0123456789abcdef0', InstanceType: 'm5.large', UserData };

describe('launch templates', () => {
  test('are made, found by id and by name, changed by new versions, and deleted', async () => {
    const api = openNetworks();
    const made = await api.call('CreateLaunchTemplate', {
      LaunchTemplateName: 'web',
      LaunchTemplateData: data,
      TagSpecifications: [{ ResourceType: 'launch-template', Tags: [{ Key: 'team', Value: 'shop' }] }],
    });
    const { LaunchTemplateId } = made.LaunchTemplate;
    expect(LaunchTemplateId).toMatch(/^lt-[0-9a-f]{17}$/);
    expect(made.LaunchTemplate).toMatchObject({
      DefaultVersionNumber: 1,
      LatestVersionNumber: 1,
      CreatedBy: 'arn:aws:iam::000000000000:user/tester',
      Tags: [{ Key: 'team', Value: 'shop' }],
    });
    await api.call('CreateLaunchTemplateVersion', {
      LaunchTemplateId,
      SourceVersion: '1',
      LaunchTemplateData: { InstanceType: 'm5.xlarge' },
    });
    const { LaunchTemplateVersions: both } = await api.call('DescribeLaunchTemplateVersions', {
      LaunchTemplateName: 'web',
    });
    expect(both.map((one: Answer) => [one.VersionNumber, one.DefaultVersion, one.LaunchTemplateData])).toEqual([
      [2, false, { ...data, InstanceType: 'm5.xlarge' }],
      [1, true, data],
    ]);
    await api.call('ModifyLaunchTemplate', { LaunchTemplateId, DefaultVersion: '2' });
    const { LaunchTemplateVersions: newest } = await api.call('DescribeLaunchTemplateVersions', {
      LaunchTemplateId,
      Versions: ['$Default', '$Latest'],
    });
    expect(newest).toHaveLength(1);
    await api.call('DeleteLaunchTemplateVersions', { LaunchTemplateId, Versions: ['1'] });
    expect(await api.refusal('DescribeLaunchTemplateVersions', { LaunchTemplateId, Versions: ['1'] })).toMatch(
      /^InvalidLaunchTemplateId.VersionNotFound: /,
    );
    await api.call('DeleteLaunchTemplate', { LaunchTemplateId });
    expect(await api.refusal('DescribeLaunchTemplates', { LaunchTemplateIds: [LaunchTemplateId] })).toMatch(
      /^InvalidLaunchTemplateId.NotFound: /,
    );
    expect(await api.networks.templateVersions('000000000000', LaunchTemplateId)).toEqual([]);
  });

  test('that name an instance profile need the right to pass its role, whichever version brings it', async () => {
    const api = openNetworks();
    const passing = {
      LaunchTemplateName: 'web',
      LaunchTemplateData: { ...data, IamInstanceProfile: { Name: 'node' } },
    };
    expect(await api.access('CreateLaunchTemplate', passing)).toEqual([
      'ec2:CreateLaunchTemplate launch-template/*',
      'iam:PassRole role/node',
    ]);
    await api.call('CreateLaunchTemplate', passing);
    const copied = { LaunchTemplateName: 'web', SourceVersion: '1', LaunchTemplateData: { InstanceType: 'm5.xlarge' } };
    expect(await api.access('CreateLaunchTemplateVersion', copied)).toContain('iam:PassRole role/node');
  });

  test.each([
    [{ LaunchTemplateName: 'a' }, /^InvalidLaunchTemplateName.MalformedException/],
    [{ LaunchTemplateData: { UserData: 'not base64!' } }, /^InvalidParameterValue: .*base64/],
    [
      { LaunchTemplateData: { UserData: Buffer.alloc(16_385).toString('base64') } },
      /^InvalidParameterValue: .*limited to 16384 bytes/,
    ],
    [{ LaunchTemplateData: { InstanceType: 'M5 large' } }, /^InvalidParameterValue: .*InstanceType/],
    [
      { LaunchTemplateData: { InstanceMarketOptions: { MarketType: 'spot' } } },
      /^UnsupportedOperation: LaunchTemplateData.InstanceMarketOptions is not supported/,
    ],
    [{ LaunchTemplateData: { DisableApiTermination: true } }, /^UnsupportedOperation: .*SetInstanceProtection/],
  ])('%j is refused', async (wrong, refusal) => {
    const api = openNetworks();
    const right = { LaunchTemplateName: 'web', LaunchTemplateData: data };
    expect(await api.refusal('CreateLaunchTemplate', { ...right, ...wrong })).toMatch(refusal);
  });
});
