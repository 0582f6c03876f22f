import { AwsError } from '@slipway/auth/contract';

import { parseAddress } from '../addresses/index.ts';
import type { DhcpOptionsRecord } from '../records/index.ts';

import { dependency, invalidValue, unsupported } from './errors.ts';
import { describeNoun, find, notFound, tagList, tagsFor } from './noun.ts';
import { type Ec2Operations, mayCreate, mayOn, operation, type Scene } from './operation.ts';
import { as, flag, list, nothing, type Of, required, struct, tags, tagSpecifications, text, texts } from './shapes.ts';

const optionsShape = struct('DhcpOptions', {
  DhcpOptionsId: text,
  OwnerId: text,
  DhcpConfigurations: as(
    'dhcpConfigurationSet',
    list(
      struct('DhcpConfiguration', {
        Key: text,
        Values: as('valueSet', list(struct('AttributeValue', { Value: text }))),
      }),
    ),
  ),
  Tags: tags,
});

/** As EC2: so many servers of a kind. */
const mostServers = 4;

/** What tasks are told of names: the resolver and the domain. Nobody asks for an address here, so nothing else is told to anybody. */
export const dhcpOptionsOperations: Ec2Operations = {
  CreateDhcpOptions: operation({
    input: struct('CreateDhcpOptionsRequest', {
      DhcpConfigurations: required(
        as('dhcpConfiguration', list(struct('NewDhcpConfiguration', { Key: text, Values: as('Value', texts) }))),
      ),
      TagSpecifications: tagSpecifications,
      DryRun: flag,
    }),
    output: struct('CreateDhcpOptionsResult', { DhcpOptions: optionsShape }),
    access: mayCreate('CreateDhcpOptions', 'dhcp-options'),
    change: (input, scene, draft) => {
      const configurations = input.DhcpConfigurations.map(({ Key: key = '', Values: values = [] }) => {
        checkOption(key, values);
        return { key, values };
      });
      if (new Set(configurations.map(({ key }) => key)).size < configurations.length)
        throw new AwsError('InvalidParameterValue', 'A set of options has each option once.');
      const options: DhcpOptionsRecord = {
        id: draft.newId('dhcp-options', ''),
        configurations,
        tags: tagsFor('dhcp-options', input.TagSpecifications),
      };
      draft.put('dhcp-options', options);
      return { DhcpOptions: viewOptions(scene, options) };
    },
  }),
  DescribeDhcpOptions: describeNoun('dhcp-options', {
    action: 'DescribeDhcpOptions',
    ids: 'DhcpOptionsIds',
    result: ['DhcpOptions', 'dhcpOptionsSet'],
    shape: optionsShape,
    filters: (_network, { account }) => ({
      'dhcp-options-id': ({ id }) => id,
      key: ({ configurations }) => configurations.map(({ key }) => key),
      value: ({ configurations }) => configurations.flatMap(({ values }) => values),
      'owner-id': () => account,
    }),
    view: (scene) => (options) => viewOptions(scene, options),
  }),
  AssociateDhcpOptions: operation({
    input: struct('AssociateDhcpOptionsRequest', {
      DhcpOptionsId: required(text),
      VpcId: required(text),
      DryRun: flag,
    }),
    output: nothing,
    access: mayOn('AssociateDhcpOptions', ({ DhcpOptionsId, VpcId }) => [
      ['vpc', VpcId],
      ['dhcp-options', DhcpOptionsId],
    ]),
    change: (input, _scene, draft) => {
      const vpc = find(draft, 'vpc', input.VpcId);
      // `default` means none, as on EC2: the set that says what is so anyway.
      const plain = draft
        .all('dhcp-options')
        .find(({ configurations: [only, ...more] }) => more.length === 0 && only?.values[0] === 'AmazonProvidedDNS');
      const id = input.DhcpOptionsId === 'default' ? plain?.id : input.DhcpOptionsId;
      if (draft.get('dhcp-options', id) === undefined) throw notFound('dhcp-options', input.DhcpOptionsId);
      draft.put('vpc', { ...vpc, dhcpOptionsId: id as string });
      return {};
    },
  }),
  DeleteDhcpOptions: operation({
    input: struct('DeleteDhcpOptionsRequest', { DhcpOptionsId: required(text), DryRun: flag }),
    output: nothing,
    access: mayOn('DeleteDhcpOptions', ({ DhcpOptionsId }) => [['dhcp-options', DhcpOptionsId]]),
    change: (input, _scene, draft) => {
      const { id } = find(draft, 'dhcp-options', input.DhcpOptionsId);
      if (draft.all('vpc').some(({ dhcpOptionsId }) => dhcpOptionsId === id))
        throw dependency(`The dhcpOptions '${id}' has dependencies and cannot be deleted.`);
      draft.remove('dhcp-options', id);
      return {};
    },
  }),
};

/** @throws InvalidParameterValue, UnsupportedOperation */
function checkOption(key: string, values: readonly string[]): void {
  if (key === 'domain-name') {
    const name = /^(?=.{1,253}$)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,62})(?:[. ][a-zA-Z0-9](?:[a-zA-Z0-9-]{0,62}))*$/;
    if (values.length !== 1 || !name.test(values[0] ?? ''))
      throw invalidValue(values.join(','), 'domain-name', 'Give one domain, or several with spaces between them.');
  } else if (key === 'domain-name-servers') {
    const all = values.every((server) => server === 'AmazonProvidedDNS' || parseAddress(server) !== undefined);
    if (!all || values.length === 0 || values.length > mostServers)
      throw invalidValue(values.join(','), key, `Give one to ${mostServers} IPv4 addresses, or AmazonProvidedDNS.`);
  } else
    throw unsupported(
      `The option ${key.slice(0, 100)}`,
      'Tasks are told domain-name and domain-name-servers; time and NetBIOS are matters of their hosts.',
    );
}

const viewOptions = ({ account }: Scene, options: DhcpOptionsRecord): Of<typeof optionsShape> => ({
  DhcpOptionsId: options.id,
  OwnerId: account,
  DhcpConfigurations: options.configurations.map(({ key, values }) => ({
    Key: key,
    Values: values.map((Value) => ({ Value })),
  })),
  Tags: tagList(options.tags),
});
