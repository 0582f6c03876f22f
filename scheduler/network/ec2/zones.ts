import { AwsError } from '@slipway/auth/contract';

import type { Network } from '../records/index.ts';

import { invalidValue } from './errors.ts';
import { passing } from './filters.ts';
import { type Ec2Operations, mayList, operation, type Scene } from './operation.ts';
import { as, filters, flag, list, struct, text, texts } from './shapes.ts';

/** Zones without hosts that there are all the same: the public Terraform modules take three. */
const always = ['a', 'b', 'c'];

const empty = 'No host is in this zone: tasks that may only run in its subnets wait until one joins.';

/** Availability zones, regions and the account's attributes. */
export const zoneOperations: Ec2Operations = {
  DescribeAvailabilityZones: operation({
    input: struct('DescribeAvailabilityZonesRequest', {
      ZoneNames: as('ZoneName', texts),
      ZoneIds: as('ZoneId', texts),
      AllAvailabilityZones: flag,
      Filters: filters,
      DryRun: flag,
    }),
    output: struct('DescribeAvailabilityZonesResult', {
      AvailabilityZones: as(
        'availabilityZoneInfo',
        list(
          struct('AvailabilityZone', {
            ZoneName: text,
            ZoneId: text,
            State: as('zoneState', text),
            RegionName: text,
            GroupName: text,
            NetworkBorderGroup: text,
            OptInStatus: text,
            ZoneType: text,
            Messages: as('messageSet', list(struct('AvailabilityZoneMessage', { Message: text }))),
          }),
        ),
      ),
    }),
    access: mayList('DescribeAvailabilityZones'),
    read: ({ ZoneNames, ZoneIds, Filters }, scene, network) => {
      const asked = [...(ZoneNames ?? []), ...(ZoneIds ?? [])];
      for (const name of asked)
        if (zoneNamed(scene, network, name) === undefined)
          throw invalidValue(name, 'ZoneName', `The zones are ${zonesOf(scene, network).join(', ')}.`);
      const { region } = scene;
      const passes = passing<{ readonly name: string }>(Filters, {
        'zone-name': ({ name }) => name,
        'zone-id': ({ name }) => zoneId(scene, name),
        'zone-type': () => 'availability-zone',
        state: () => 'available',
        'region-name': () => region,
        'group-name': () => region,
        'network-border-group': () => region,
        'opt-in-status': () => 'opt-in-not-required',
        'parent-zone-id': () => undefined,
        'parent-zone-name': () => undefined,
        message: ({ name }) => (network.zones.includes(name) ? undefined : empty),
      });
      return {
        AvailabilityZones: zonesOf(scene, network)
          .map((name) => ({ name, id: zoneId(scene, name) }))
          .filter(({ name, id }) => asked.length === 0 || asked.includes(name) || asked.includes(id))
          .filter(passes)
          .map(({ name, id }) => ({
            ZoneName: name,
            ZoneId: id,
            State: 'available',
            RegionName: region,
            GroupName: region,
            NetworkBorderGroup: region,
            OptInStatus: 'opt-in-not-required',
            ZoneType: 'availability-zone',
            Messages: network.zones.includes(name) ? [] : [{ Message: empty }],
          })),
      };
    },
  }),
  DescribeRegions: operation({
    input: struct('DescribeRegionsRequest', {
      RegionNames: as('RegionName', texts),
      AllRegions: flag,
      Filters: filters,
      DryRun: flag,
    }),
    output: struct('DescribeRegionsResult', {
      Regions: as(
        'regionInfo',
        list(struct('Region', { RegionName: text, Endpoint: as('regionEndpoint', text), OptInStatus: text })),
      ),
    }),
    access: mayList('DescribeRegions'),
    read: ({ RegionNames = [], Filters }, { region, call }) => {
      const unknown = RegionNames.find((name) => name !== region);
      if (unknown !== undefined) throw invalidValue(unknown, 'region', `This installation is ${region}.`);
      const endpoint = new URL(call.endpoint).host;
      const passes = passing<object>(Filters, {
        'region-name': () => region,
        endpoint: () => endpoint,
        'opt-in-status': () => 'opt-in-not-required',
      });
      const only = { RegionName: region, Endpoint: endpoint, OptInStatus: 'opt-in-not-required' };
      return { Regions: passes({}) ? [only] : [] };
    },
  }),
  DescribeAccountAttributes: operation({
    input: struct('DescribeAccountAttributesRequest', { AttributeNames: as('AttributeName', texts), DryRun: flag }),
    output: struct('DescribeAccountAttributesResult', {
      AccountAttributes: as(
        'accountAttributeSet',
        list(
          struct('AccountAttribute', {
            AttributeName: text,
            AttributeValues: as('attributeValueSet', list(struct('AccountAttributeValue', { AttributeValue: text }))),
          }),
        ),
      ),
    }),
    access: mayList('DescribeAccountAttributes'),
    read: ({ AttributeNames = [] }, _scene, network) => {
      const all: Readonly<Record<string, string>> = {
        'supported-platforms': 'VPC',
        'default-vpc': network.defaultVpc?.id ?? 'none',
      };
      const unknown = AttributeNames.find((name) => !Object.hasOwn(all, name));
      if (unknown !== undefined)
        throw new AwsError(
          'InvalidParameterValue',
          `Unknown attribute '${unknown.slice(0, 100)}'. Use ${Object.keys(all).join(', ')}.`,
        );
      return {
        AccountAttributes: Object.entries(all)
          .filter(([name]) => AttributeNames.length === 0 || AttributeNames.includes(name))
          .map(([name, value]) => ({ AttributeName: name, AttributeValues: [{ AttributeValue: value }] })),
      };
    },
  }),
};

/** The zones of an account: those of its hosts, and the first three of the region, where hosts can still join. */
export const zonesOf = ({ region }: Pick<Scene, 'region'>, network: Network): readonly string[] =>
  [...new Set([...network.zones, ...always.map((letter) => region + letter)])].sort();

/** EC2's name of a zone that is the same in every account: `use1-az1`. It is the zone's place among those of the account. */
export function zoneId(scene: Pick<Scene, 'region'>, zone: string): string {
  const [area = '', ...rest] = scene.region.split('-');
  const short = area + rest.map((part) => (/^\d+$/.test(part) ? part : part.charAt(0))).join('');
  // Those of the region have the number of their letter, whatever other zones come and go.
  const letter = zone.startsWith(scene.region) ? zone.slice(scene.region.length) : '';
  if (/^[a-z]$/.test(letter)) return `${short}-az${letter.charCodeAt(0) - 96}`;
  return `${short}-${zone}`;
}

/** The zone of a name or an id; undefined when there is none. */
export const zoneNamed = (scene: Pick<Scene, 'region'>, network: Network, nameOrId: string): string | undefined =>
  zonesOf(scene, network).find((zone) => zone === nameOrId || zoneId(scene, zone) === nameOrId);
