import { AwsError } from '@slipway/auth/contract';

import type { InternetGatewayRecord } from '../records/index.ts';

import { dependency } from './errors.ts';
import { describeNoun, find, tagList, tagsFor } from './noun.ts';
import { type Ec2Operations, mayCreate, mayOn, operation, type Scene } from './operation.ts';
import { as, flag, list, nothing, type Of, required, struct, tags, tagSpecifications, text } from './shapes.ts';

const gatewayShape = struct('InternetGateway', {
  InternetGatewayId: text,
  OwnerId: text,
  Attachments: as('attachmentSet', list(struct('InternetGatewayAttachment', { State: text, VpcId: text }))),
  Tags: tags,
});

const attachment = { InternetGatewayId: required(text), VpcId: required(text), DryRun: flag } as const;

/** Internet gateways: records that say which VPC may have routes to the outside. */
export const internetGatewayOperations: Ec2Operations = {
  CreateInternetGateway: operation({
    input: struct('CreateInternetGatewayRequest', { TagSpecifications: tagSpecifications, DryRun: flag }),
    output: struct('CreateInternetGatewayResult', { InternetGateway: gatewayShape }),
    access: mayCreate('CreateInternetGateway', 'internet-gateway'),
    change: (input, scene, draft) => {
      const id = draft.newId('internet-gateway', '');
      const gateway: InternetGatewayRecord = { id, tags: tagsFor('internet-gateway', input.TagSpecifications) };
      draft.put('internet-gateway', gateway);
      return { InternetGateway: viewGateway(scene, gateway) };
    },
  }),
  DescribeInternetGateways: describeNoun('internet-gateway', {
    action: 'DescribeInternetGateways',
    ids: 'InternetGatewayIds',
    result: ['InternetGateways', 'internetGatewaySet'],
    shape: gatewayShape,
    filters: (_network, { account }) => ({
      'internet-gateway-id': ({ id }) => id,
      'attachment.vpc-id': ({ vpcId }) => vpcId,
      'attachment.state': ({ vpcId }) => (vpcId === undefined ? undefined : 'available'),
      'owner-id': () => account,
    }),
    view: (scene) => (gateway) => viewGateway(scene, gateway),
  }),
  AttachInternetGateway: operation({
    input: struct('AttachInternetGatewayRequest', attachment),
    output: nothing,
    access: mayOn('AttachInternetGateway', ({ InternetGatewayId, VpcId }) => [
      ['internet-gateway', InternetGatewayId],
      ['vpc', VpcId],
    ]),
    change: (input, _scene, draft) => {
      const gateway = find(draft, 'internet-gateway', input.InternetGatewayId);
      const { id: vpcId } = find(draft, 'vpc', input.VpcId);
      if (gateway.vpcId !== undefined)
        throw new AwsError(
          'Resource.AlreadyAssociated',
          `resource ${gateway.id} is already attached to network ${gateway.vpcId}`,
        );
      if (draft.all('internet-gateway').some((one) => one.vpcId === vpcId))
        throw new AwsError('InvalidParameterValue', `Network ${vpcId} already has an internet gateway attached`);
      draft.put('internet-gateway', { ...gateway, vpcId });
      return {};
    },
  }),
  DetachInternetGateway: operation({
    input: struct('DetachInternetGatewayRequest', attachment),
    output: nothing,
    access: mayOn('DetachInternetGateway', ({ InternetGatewayId, VpcId }) => [
      ['internet-gateway', InternetGatewayId],
      ['vpc', VpcId],
    ]),
    change: (input, _scene, draft) => {
      const { vpcId, ...gateway } = find(draft, 'internet-gateway', input.InternetGatewayId);
      find(draft, 'vpc', input.VpcId);
      if (vpcId !== input.VpcId)
        throw new AwsError('Gateway.NotAttached', `resource ${gateway.id} is not attached to network ${input.VpcId}`);
      const nat = draft
        .all('natgateway')
        .find((one) => one.vpcId === vpcId && one.isPublic && one.deletedAt === undefined);
      if (nat !== undefined)
        throw dependency(
          `Network ${vpcId} has some mapped public address(es): delete the NAT gateway ${nat.id} first.`,
        );
      draft.put('internet-gateway', gateway);
      return {};
    },
  }),
  DeleteInternetGateway: operation({
    input: struct('DeleteInternetGatewayRequest', { InternetGatewayId: required(text), DryRun: flag }),
    output: nothing,
    access: mayOn('DeleteInternetGateway', ({ InternetGatewayId }) => [['internet-gateway', InternetGatewayId]]),
    change: (input, _scene, draft) => {
      const { id, vpcId } = find(draft, 'internet-gateway', input.InternetGatewayId);
      if (vpcId !== undefined)
        throw dependency(
          `The internetGateway '${id}' has dependencies and cannot be deleted: detach it from ${vpcId}.`,
        );
      draft.remove('internet-gateway', id);
      return {};
    },
  }),
};

const viewGateway = ({ account }: Scene, gateway: InternetGatewayRecord): Of<typeof gatewayShape> => ({
  InternetGatewayId: gateway.id,
  OwnerId: account,
  Attachments: gateway.vpcId === undefined ? [] : [{ State: 'available', VpcId: gateway.vpcId }],
  Tags: tagList(gateway.tags),
});
