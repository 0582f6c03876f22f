import { requestTagKeys, requestTags, tagList, tagsAsSent } from '@slipway/auth/kit';

import { elbTags, someOf } from '../elbv2/index.ts';
import type { ClassicRecord } from '../records/index.ts';

import { unsupported, validation } from './errors.ts';
import { type ClassicOperations, find, mayOn, operation } from './operation.ts';
import { attributes, byName, list, nothing, type Of, required, struct, tags, text, texts } from './shapes.ts';

const desync = 'elb.http.desyncmitigationmode';
/** As ELB: so many load balancers a request. */
const mostNames = 20;

/** What Classic Load Balancers can be told beside their listeners: attributes and tags. */
export const attributeOperations: ClassicOperations = {
  DescribeLoadBalancerAttributes: operation({
    input: struct('DescribeLoadBalancerAttributesInput', byName),
    output: struct('DescribeLoadBalancerAttributesOutput', { LoadBalancerAttributes: attributes }),
    access: mayOn('DescribeLoadBalancerAttributes', ({ LoadBalancerName }) => [LoadBalancerName]),
    read: ({ LoadBalancerName }, _scene, balancing) => ({
      LoadBalancerAttributes: view(find(balancing, LoadBalancerName)),
    }),
  }),
  ModifyLoadBalancerAttributes: operation({
    input: struct('ModifyLoadBalancerAttributesInput', { ...byName, LoadBalancerAttributes: required(attributes) }),
    output: struct('ModifyLoadBalancerAttributesOutput', {
      LoadBalancerName: text,
      LoadBalancerAttributes: attributes,
    }),
    access: mayOn('ModifyLoadBalancerAttributes', ({ LoadBalancerName }) => [LoadBalancerName]),
    change: ({ LoadBalancerName, LoadBalancerAttributes: given }, _scene, draft) => {
      const record = find(draft, LoadBalancerName);
      const { ConnectionSettings: settings, ConnectionDraining: draining, AdditionalAttributes: more = [] } = given;
      // Every engine knows every instance, so there are no zones between which it could be off.
      if (given.CrossZoneLoadBalancing?.Enabled === false)
        throw unsupported(
          'CrossZoneLoadBalancing that is not enabled',
          'Every load balancer sends to the instances of all zones.',
        );
      for (const { Key = '', Value = '' } of more)
        if (Key !== desync || Value !== 'defensive')
          throw unsupported(
            `The attribute ${Key.slice(0, 100)} = ${Value.slice(0, 100)}`,
            `Only ${desync} = defensive is served.`,
          );
      const after: ClassicRecord = {
        ...record,
        idleTimeout: settings?.IdleTimeout ?? record.idleTimeout,
        draining:
          draining === undefined
            ? record.draining
            : { enabled: draining.Enabled, timeout: draining.Timeout ?? record.draining.timeout },
      };
      draft.put('classic', after);
      return after;
    },
    answer: (record) => ({ LoadBalancerName: record.name, LoadBalancerAttributes: view(record) }),
  }),
  AddTags: operation({
    input: struct('AddTagsInput', { LoadBalancerNames: required(texts), Tags: required(tags) }),
    output: nothing,
    access: mayOn(
      'AddTags',
      ({ LoadBalancerNames }) => LoadBalancerNames,
      ({ Tags }) => requestTags(tagsAsSent(Tags)),
    ),
    change: ({ LoadBalancerNames, Tags }, _scene, draft) => {
      const added = elbTags.parse(someOf(Tags, 'Tags'));
      for (const name of namesIn(LoadBalancerNames)) {
        const record = find(draft, name);
        draft.put('classic', { ...record, tags: elbTags.merge(record.tags, added) });
      }
    },
    answer: () => ({}),
  }),
  RemoveTags: operation({
    input: struct('RemoveTagsInput', {
      LoadBalancerNames: required(texts),
      Tags: required(list(struct('TagKeyOnly', { Key: text }))),
    }),
    output: nothing,
    access: mayOn(
      'RemoveTags',
      ({ LoadBalancerNames }) => LoadBalancerNames,
      ({ Tags }) => requestTagKeys(Tags.map(({ Key = '' }) => Key)),
    ),
    change: ({ LoadBalancerNames, Tags }, _scene, draft) => {
      const keys = someOf(Tags, 'Tags').map(({ Key = '' }) => Key);
      for (const key of keys) elbTags.checkKey(key);
      for (const name of namesIn(LoadBalancerNames)) {
        const record = find(draft, name);
        draft.put('classic', { ...record, tags: elbTags.without(record.tags, keys) });
      }
    },
    answer: () => ({}),
  }),
  DescribeTags: operation({
    input: struct('DescribeTagsInput', { LoadBalancerNames: required(texts) }),
    output: struct('DescribeTagsOutput', {
      TagDescriptions: list(struct('TagDescription', { LoadBalancerName: text, Tags: tags })),
    }),
    access: mayOn('DescribeTags', ({ LoadBalancerNames }) => LoadBalancerNames),
    read: ({ LoadBalancerNames }, _scene, balancing) => ({
      TagDescriptions: namesIn(LoadBalancerNames).map((name) => ({
        LoadBalancerName: name,
        Tags: tagList(find(balancing, name).tags),
      })),
    }),
  }),
};

function namesIn(given: readonly string[]): readonly string[] {
  if (given.length > mostNames) throw validation(`Up to ${mostNames} load balancers can be named in a request`);
  return someOf(given, 'LoadBalancerNames');
}

const view = ({ idleTimeout, draining }: ClassicRecord): Of<typeof attributes> => ({
  CrossZoneLoadBalancing: { Enabled: true },
  AccessLog: { Enabled: false },
  ConnectionDraining: { Enabled: draining.enabled, Timeout: draining.timeout },
  ConnectionSettings: { IdleTimeout: idleTimeout },
  AdditionalAttributes: [{ Key: desync, Value: 'defensive' }],
});
