import { AwsError } from '@slipway/auth/contract';

import { type SslPolicy, sslPolicies, sslPolicy, usualSslPolicy } from '../records/index.ts';

import { pageOf } from './lists.ts';
import { type ElbOperations, mayList, operation } from './operation.ts';
import { list, number, type Of, paged, struct, text, texts } from './shapes.ts';

const ciphers13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];

/** @throws SSLPolicyNotFound */
export function policyFor(name: string): SslPolicy {
  const found = sslPolicy(name === '' ? usualSslPolicy : name);
  if (found === undefined)
    throw new AwsError(
      'SSLPolicyNotFound',
      `SSL policy '${name.slice(0, 200)}' not found. Policies are ${sslPolicies.map((one) => one.name).join(', ')}.`,
    );
  return found;
}

const shape = struct('SslPolicy', {
  Name: text,
  SslProtocols: texts,
  Ciphers: list(struct('Cipher', { Name: text, Priority: number })),
  SupportedLoadBalancerTypes: texts,
});

export const sslPolicyOperations: ElbOperations = {
  DescribeSSLPolicies: operation({
    input: struct('DescribeSSLPoliciesInput', { Names: texts, LoadBalancerType: text, ...paged }),
    output: struct('DescribeSSLPoliciesOutput', { SslPolicies: list(shape), NextMarker: text }),
    access: mayList('DescribeSSLPolicies'),
    read: async (input, scene) => {
      const { Names: names = [] } = input;
      // The types that there are have the same policies, and there are no others.
      const all = input.LoadBalancerType === 'gateway' ? [] : sslPolicies;
      const asked = names.length === 0 ? all : [...new Set(names)].map(policyFor);
      const { items, more } = await pageOf(
        scene,
        ['DescribeSSLPolicies', names, input.LoadBalancerType],
        input,
        asked,
        ({ name }) => name,
        view,
      );
      return { SslPolicies: items, ...more };
    },
  }),
};

const view = ({ name, versions, ciphers }: SslPolicy): Of<typeof shape> => ({
  Name: name,
  SslProtocols: versions,
  Ciphers: [...(versions.includes('TLSv1.3') ? ciphers13 : []), ...ciphers].map((cipher, place) => ({
    Name: cipher,
    Priority: place + 1,
  })),
  SupportedLoadBalancerTypes: ['application', 'network'],
});
