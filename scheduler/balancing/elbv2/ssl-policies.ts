import { AwsError } from '@slipway/auth/contract';

import { pageOf } from './lists.ts';
import { type ElbOperations, mayList, operation } from './operation.ts';
import { list, number, type Of, paged, struct, text, texts } from './shapes.ts';

/** A set of protocol versions and ciphers of HTTPS and TLS listeners. */
export interface SslPolicy {
  readonly name: string;
  readonly protocols: readonly ('TLSv1.2' | 'TLSv1.3')[];
}

const of12: SslPolicy['protocols'] = ['TLSv1.2'];
const of13: SslPolicy['protocols'] = ['TLSv1.3'];
const both: SslPolicy['protocols'] = ['TLSv1.2', 'TLSv1.3'];

/** What a listener has that names none. */
const usual = 'ELBSecurityPolicy-2016-08';

/**
 * The policies that are served, with what they mean here: ELB's names, none of which serves TLS below 1.2 (ELB user guide, "Security
 * policies for your Application Load Balancer").
 */
const policies: readonly SslPolicy[] = [
  { name: usual, protocols: of12 },
  { name: 'ELBSecurityPolicy-TLS-1-2-2017-01', protocols: of12 },
  { name: 'ELBSecurityPolicy-FS-1-2-2019-08', protocols: of12 },
  { name: 'ELBSecurityPolicy-FS-1-2-Res-2019-08', protocols: of12 },
  { name: 'ELBSecurityPolicy-FS-1-2-Res-2020-10', protocols: of12 },
  { name: 'ELBSecurityPolicy-TLS13-1-3-2021-06', protocols: of13 },
  { name: 'ELBSecurityPolicy-TLS13-1-2-2021-06', protocols: both },
  { name: 'ELBSecurityPolicy-TLS13-1-2-Res-2021-06', protocols: both },
];

const ciphers12 = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
];
const ciphers13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];

/** @throws SSLPolicyNotFound */
export function policyFor(name: string): SslPolicy {
  const found = policies.find((one) => one.name === (name === '' ? usual : name));
  if (found === undefined)
    throw new AwsError(
      'SSLPolicyNotFound',
      `SSL policy '${name.slice(0, 200)}' not found. Policies are ${policies.map((one) => one.name).join(', ')}.`,
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
      const asked = names.length === 0 ? policies : [...new Set(names)].map(policyFor);
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

const view = ({ name, protocols }: SslPolicy): Of<typeof shape> => ({
  Name: name,
  SslProtocols: protocols,
  Ciphers: protocols
    .flatMap((protocol) => (protocol === 'TLSv1.3' ? ciphers13 : ciphers12))
    .map((cipher, place) => ({ Name: cipher, Priority: place + 1 })),
  SupportedLoadBalancerTypes: ['application', 'network'],
});
