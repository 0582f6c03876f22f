import type { AccessList } from '@slipway/auth/contract';
import { AwsError } from '@slipway/auth/contract';

import type { MachineRecord, MachineState } from '../../scaling/groups/index.ts';
import { missingParameter } from './errors.ts';
import { describeOperation, tagList } from './noun.ts';
import { arn, type Ec2Operations, may, operation, type Scene } from './operation.ts';
import { as, flag, list, number, type Of, required, struct, tags, text, texts, time } from './shapes.ts';

const state = struct('InstanceState', { Code: number, Name: text });
const instanceShape = struct('Instance', {
  InstanceId: text,
  ImageId: text,
  InstanceType: text,
  State: as('instanceState', state),
  LaunchTime: time,
  Placement: struct('Placement', { AvailabilityZone: text, Tenancy: text }),
  SubnetId: text,
  Tags: tags,
});
const reservation = struct('Reservation', {
  ReservationId: text,
  OwnerId: text,
  Instances: as('instancesSet', list(instanceShape)),
});

const states: Readonly<Record<MachineState, Of<typeof state>>> = {
  Pending: { Code: 0, Name: 'pending' },
  Warming: { Code: 0, Name: 'pending' },
  Warmed: { Code: 16, Name: 'running' },
  InService: { Code: 16, Name: 'running' },
  Terminating: { Code: 32, Name: 'shutting-down' },
};

const stopped = { Code: 80, Name: 'stopped' };

/** Those of warm pools may be stopped. */
const stateOf = ({ state: is, rest = 'Running' }: MachineRecord): Of<typeof state> =>
  is === 'Warmed' && rest !== 'Running' ? stopped : states[is];

const unknown = (id: string): AwsError =>
  new AwsError('InvalidInstanceID.NotFound', `The instance ID '${id.slice(0, 100)}' does not exist`);

/** Instances: the machines of Auto Scaling groups. */
export const instanceOperations: Ec2Operations = {
  DescribeInstances: describeOperation<MachineRecord, Of<typeof reservation>, 'Reservations'>({
    action: 'DescribeInstances',
    ids: 'InstanceIds',
    idOf: ({ id }) => id,
    unknown,
    result: ['Reservations', 'reservationSet'],
    shape: reservation,
    further: { IncludeManagedResources: flag },
    filters: () => ({
      'instance-id': ({ id }) => id,
      'instance-state-name': (machine) => stateOf(machine).Name,
      'instance-type': ({ instanceType }) => instanceType,
      'image-id': ({ imageId }) => imageId,
      'availability-zone': ({ zone }) => zone,
      'subnet-id': ({ subnet }) => subnet,
    }),
    rows: ({ api, account }) => api.groups.machines(account),
    view:
      ({ account }) =>
      (machine) => ({
        ReservationId: `r-${machine.id.slice(2)}`,
        OwnerId: account,
        Instances: [viewInstance(machine)],
      }),
  }),
  TerminateInstances: operation({
    input: struct('TerminateInstancesRequest', {
      InstanceIds: required(as('InstanceId', texts)),
      Force: flag,
      SkipOsShutdown: flag,
      DryRun: flag,
    }),
    output: struct('TerminateInstancesResult', {
      TerminatingInstances: as(
        'instancesSet',
        list(struct('InstanceStateChange', { InstanceId: text, CurrentState: state, PreviousState: state })),
      ),
    }),
    access: async ({ InstanceIds: ids }, scene): Promise<AccessList> => {
      const machines = await machinesById(scene);
      const refs = ids.map((id) => ({ arn: arn(scene, 'instance', id), ...tagsOf(machines.get(id)) }));
      return [may(scene, 'TerminateInstances', refs.length === 0 ? [{ arn: '*' }] : refs)];
    },
    read: async ({ InstanceIds: ids }, scene) => {
      if (ids.length === 0) throw missingParameter('InstanceId');
      const machines = await machinesById(scene);
      const named = [...new Set(ids)].map((id) => {
        const machine = machines.get(id);
        if (machine === undefined) throw unknown(id);
        return machine;
      });
      // Its group makes another one, as on EC2.
      for (const { id } of named)
        await scene.api.groups.terminate(scene.account, id, {
          decrement: false,
          why: 'a user request (TerminateInstances)',
        });
      return {
        TerminatingInstances: named.map((machine) => ({
          InstanceId: machine.id,
          CurrentState: states.Terminating,
          PreviousState: stateOf(machine),
        })),
      };
    },
  }),
};

const machinesById = async ({ api, account }: Scene): Promise<ReadonlyMap<string, MachineRecord>> =>
  new Map((await api.groups.machines(account)).map((machine) => [machine.id, machine]));

const tagsOf = (machine: MachineRecord | undefined): { readonly tags?: MachineRecord['tags'] } =>
  machine === undefined ? {} : { tags: machine.tags };

const viewInstance = (machine: MachineRecord): Of<typeof instanceShape> => ({
  InstanceId: machine.id,
  ImageId: machine.imageId,
  InstanceType: machine.instanceType,
  State: stateOf(machine),
  LaunchTime: new Date(machine.launchedAt),
  Placement: { AvailabilityZone: machine.zone, Tenancy: 'default' },
  ...(machine.subnet === undefined ? {} : { SubnetId: machine.subnet }),
  Tags: tagList(machine.tags),
});
