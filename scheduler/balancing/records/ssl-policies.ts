import type { TlsVersion } from '../../routing/index.ts';

/** A set of protocol versions and ciphers of HTTPS and TLS listeners. */
export interface SslPolicy {
  readonly name: string;
  readonly versions: readonly TlsVersion[];
  /** Of TLS 1.2, in OpenSSL's names, the preferred first. */
  readonly ciphers: readonly string[];
}

/** Every cipher of ELB's policies by what they have in common, in ELB's order within a policy. */
const gcm = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
];
const cbc = [
  'ECDHE-ECDSA-AES128-SHA256',
  'ECDHE-RSA-AES128-SHA256',
  'ECDHE-ECDSA-AES256-SHA384',
  'ECDHE-RSA-AES256-SHA384',
];
const sha1 = ['ECDHE-ECDSA-AES128-SHA', 'ECDHE-RSA-AES128-SHA', 'ECDHE-RSA-AES256-SHA', 'ECDHE-ECDSA-AES256-SHA'];
const withoutSecrecy = ['AES128-GCM-SHA256', 'AES128-SHA256', 'AES256-GCM-SHA384', 'AES256-SHA256'];
const oldest = ['AES128-SHA', 'AES256-SHA'];

const of12: SslPolicy['versions'] = ['TLSv1.2'];
const both: SslPolicy['versions'] = ['TLSv1.2', 'TLSv1.3'];

/** What a listener has that names none. */
export const usualSslPolicy = 'ELBSecurityPolicy-2016-08';

/**
 * The policies that are served, with ELB's own ciphers (ELB user guide, "Security policies for your Application Load Balancer"). None
 * speaks TLS below 1.2, as the usual one would at ELB.
 */
export const sslPolicies: readonly SslPolicy[] = [
  { name: usualSslPolicy, versions: of12, ciphers: [...gcm, ...cbc, ...sha1, ...withoutSecrecy, ...oldest] },
  { name: 'ELBSecurityPolicy-TLS-1-2-2017-01', versions: of12, ciphers: [...gcm, ...cbc, ...withoutSecrecy] },
  {
    name: 'ELBSecurityPolicy-TLS-1-2-Ext-2018-06',
    versions: of12,
    ciphers: [...gcm, ...cbc, ...sha1, ...withoutSecrecy, ...oldest],
  },
  { name: 'ELBSecurityPolicy-FS-1-2-2019-08', versions: of12, ciphers: [...gcm, ...cbc, ...sha1] },
  { name: 'ELBSecurityPolicy-FS-1-2-Res-2019-08', versions: of12, ciphers: [...gcm, ...cbc] },
  { name: 'ELBSecurityPolicy-FS-1-2-Res-2020-10', versions: of12, ciphers: gcm },
  { name: 'ELBSecurityPolicy-TLS13-1-3-2021-06', versions: ['TLSv1.3'], ciphers: [] },
  { name: 'ELBSecurityPolicy-TLS13-1-2-Res-2021-06', versions: both, ciphers: gcm },
  { name: 'ELBSecurityPolicy-TLS13-1-2-2021-06', versions: both, ciphers: [...gcm, ...cbc] },
  { name: 'ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06', versions: both, ciphers: [...gcm, ...cbc, ...withoutSecrecy] },
  {
    name: 'ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06',
    versions: both,
    ciphers: [...gcm, ...cbc, ...sha1, ...withoutSecrecy, ...oldest],
  },
];

/** The policy of a name; undefined when there is none. */
export const sslPolicy = (name: string): SslPolicy | undefined => sslPolicies.find((one) => one.name === name);

/** Protocols that ALPN policies of TLS listeners stand for, the preferred first (ELB user guide, "ALPN policies"). */
export const alpnPolicies = {
  HTTP1Only: ['http/1.1', 'http/1.0'],
  HTTP2Only: ['h2'],
  HTTP2Optional: ['http/1.1', 'http/1.0', 'h2'],
  HTTP2Preferred: ['h2', 'http/1.1', 'http/1.0'],
  None: [],
} as const;
export type AlpnPolicy = keyof typeof alpnPolicies;
