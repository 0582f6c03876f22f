import { AwsError } from '@slipway/auth/contract';

import {
  alpnPolicies,
  type AlpnPolicy,
  type Balancing,
  type Draft,
  type ListenerRecord,
  type LoadBalancerRecord,
  type Place,
  type Protocol,
} from '../records/index.ts';

import { actionFor, placeOf, viewAction } from './actions.ts';
import { invalidConfiguration, notFound, tooMany, validation } from './errors.ts';
import { find, findAll, lookUp, namedOrWithin, pageOf } from './lists.ts';
import { removeListener, settledAnswer } from './load-balancers.ts';
import { balancerArn, listenerArn } from './names.ts';
import { type ElbOperations, mayCreate, mayList, mayOn, operation, reference, type Scene } from './operation.ts';
import { mostListeners } from './quotas.ts';
import {
  actions,
  certificates,
  flag,
  list,
  nothing,
  number,
  type Of,
  paged,
  refused,
  required,
  struct,
  tags,
  text,
  texts,
} from './shapes.ts';
import { policyFor } from './ssl-policies.ts';
import { certificateFor } from './server-certificates.ts';
import { elbTags, inOrder } from './tagging.ts';

const mutual = refused(
  struct('MutualAuthenticationAttributes', { Mode: text, TrustStoreArn: text, IgnoreClientCertificateExpiry: flag }),
  'Clients are not asked for certificates.',
);

const listener = struct('Listener', {
  ListenerArn: text,
  LoadBalancerArn: text,
  Port: number,
  Protocol: text,
  Certificates: certificates,
  SslPolicy: text,
  AlpnPolicy: texts,
  DefaultActions: actions,
});
const members = { Protocol: text, Port: number, SslPolicy: text, Certificates: certificates } as const;

/** Listeners: a port of a load balancer's address, and what is done with what arrives there. */
export const listenerOperations: ElbOperations = {
  CreateListener: operation({
    input: struct('CreateListenerInput', {
      LoadBalancerArn: required(text),
      ...members,
      DefaultActions: required(actions),
      AlpnPolicy: texts,
      Tags: tags,
      MutualAuthentication: mutual,
    }),
    output: struct('CreateListenerOutput', { Listeners: list(listener) }),
    access: mayCreate('CreateListener', ({ LoadBalancerArn }, scene, balancing) => [
      reference(scene, balancing, LoadBalancerArn),
    ]),
    change: async (input, scene, draft) => {
      const balancer = find(scene, draft, 'loadbalancer', input.LoadBalancerArn);
      const settings = await settingsFor(scene, draft, balancer, {
        protocol: input.Protocol,
        port: input.Port,
        policy: input.SslPolicy,
        certificates: input.Certificates,
        alpn: input.AlpnPolicy,
      });
      const others = draft.listenersOf(balancer.id);
      const defaultAction = actionFor(scene, draft, { balancer, protocol: settings.protocol }, input.DefaultActions);
      const tagged = elbTags.parse(input.Tags);
      const same = others.find(({ port }) => port === settings.port);
      if (same !== undefined) {
        if (isSame(same, { ...settings, defaultAction, tags: tagged })) return { id: same.id, before: same };
        throw duplicate();
      }
      if (others.length >= mostListeners)
        throw tooMany('TooManyListeners', 'listeners of a load balancer', mostListeners);
      checkAddress(scene, draft, balancer, settings.port);
      const id = draft.newId();
      draft.put('listener', {
        id,
        loadBalancerId: balancer.id,
        ...settings,
        defaultAction,
        defaultRuleId: draft.newId(),
        createdAt: draft.now,
        attributes: {},
        tags: tagged,
      });
      return { id, before: undefined };
    },
    answer: bound,
  }),
  DescribeListeners: operation({
    input: struct('DescribeListenersInput', { LoadBalancerArn: text, ListenerArns: texts, ...paged }),
    output: struct('DescribeListenersOutput', { Listeners: list(listener), NextMarker: text }),
    access: mayList('DescribeListeners'),
    read: async (input, scene, balancing) => {
      const { LoadBalancerArn: of, ListenerArns: arns = [] } = input;
      const records = namedOrWithin('listener ARNs or a load balancer ARN', arns, of, {
        named: (some) => findAll(scene, balancing, 'listener', some),
        all: (within) => balancing.listenersOf(find(scene, balancing, 'loadbalancer', within).id),
      });
      const { items, more } = await pageOf(
        scene,
        ['DescribeListeners', of, arns],
        input,
        records,
        ({ id }) => id,
        (record) => viewListener(scene, balancing, record),
      );
      return { Listeners: items, ...more };
    },
  }),
  ModifyListener: operation({
    input: struct('ModifyListenerInput', {
      ListenerArn: required(text),
      ...members,
      DefaultActions: actions,
      AlpnPolicy: texts,
      MutualAuthentication: mutual,
    }),
    output: struct('ModifyListenerOutput', { Listeners: list(listener) }),
    access: mayOn('ModifyListener', ({ ListenerArn }) => [ListenerArn]),
    change: async (input, scene, draft) => {
      const before = find(scene, draft, 'listener', input.ListenerArn);
      const { balancer } = placeOf(draft, before);
      const protocol = input.Protocol ?? before.protocol;
      const isSecure = protocol === 'HTTPS' || protocol === 'TLS';
      const settings = await settingsFor(scene, draft, balancer, {
        protocol,
        port: input.Port ?? before.port,
        policy: input.SslPolicy ?? (isSecure ? before.sslPolicy : undefined),
        certificates:
          input.Certificates ??
          (isSecure ? before.certificates.slice(0, 1).map((arn) => ({ CertificateArn: arn })) : undefined),
        alpn: input.AlpnPolicy ?? (protocol === 'TLS' ? listOf(before.alpnPolicy) : undefined),
      });
      const given = input.DefaultActions ?? [];
      const { sslPolicy: _policy, alpnPolicy: _alpn, ...kept } = before;
      const after: ListenerRecord = {
        ...kept,
        ...settings,
        certificates: isSecure
          ? [...new Set([...settings.certificates, ...before.certificates.slice(1)])]
          : settings.certificates,
        defaultAction:
          given.length === 0
            ? before.defaultAction
            : actionFor(scene, draft, { balancer, protocol: settings.protocol }, given),
      };
      if (after.port !== before.port) {
        if (draft.listenersOf(balancer.id).some(({ port }) => port === after.port)) throw duplicate();
        checkAddress(scene, draft, balancer, after.port);
      }
      if (kindOf(after.protocol) !== kindOf(before.protocol) && Object.keys(before.attributes).length > 0)
        throw invalidConfiguration('The listener has attributes that its new protocol does not have');
      draft.put('listener', after);
      return { id: before.id, before };
    },
    answer: bound,
  }),
  DeleteListener: operation({
    input: struct('DeleteListenerInput', { ListenerArn: required(text) }),
    output: nothing,
    access: mayOn('DeleteListener', ({ ListenerArn }) => [ListenerArn]),
    change: ({ ListenerArn }, scene, draft) => {
      const record = lookUp(scene, draft, 'listener', ListenerArn);
      if (record === undefined) throw notFound('listener');
      removeListener(draft, record.id);
    },
    answer: settledAnswer,
  }),
};

const kindOf = (protocol: Protocol): string => (protocol === 'HTTP' || protocol === 'HTTPS' ? 'http' : 'stream');

const duplicate = (): AwsError =>
  new AwsError('DuplicateListener', 'A listener with the specified port already exists.');

interface Asked {
  readonly protocol: string | undefined;
  readonly port: number | undefined;
  readonly policy: string | undefined;
  readonly alpn: readonly string[] | undefined;
  readonly certificates:
    | readonly { readonly CertificateArn?: string | undefined; readonly IsDefault?: boolean | undefined }[]
    | undefined;
}
type Settings = Pick<ListenerRecord, 'protocol' | 'port' | 'sslPolicy' | 'certificates' | 'alpnPolicy'>;

const listOf = (one: string | undefined): readonly string[] | undefined => (one === undefined ? undefined : [one]);

/** @throws ValidationError, UnsupportedProtocol, SSLPolicyNotFound, ALPNPolicyNotFound, CertificateNotFound, InvalidConfigurationRequest */
async function settingsFor(scene: Scene, draft: Draft, balancer: LoadBalancerRecord, asked: Asked): Promise<Settings> {
  const { protocol, port, policy = '', certificates: given = [], alpn = [] } = asked;
  if (protocol === undefined || protocol === '') throw validation('A listener protocol must be specified');
  if (port === undefined) throw validation('A listener port must be specified');
  const allowed = balancer.type === 'application' ? ['HTTP', 'HTTPS'] : ['TCP', 'TLS'];
  if (!allowed.includes(protocol)) {
    if (balancer.type === 'network' && (protocol === 'UDP' || protocol === 'TCP_UDP'))
      throw new AwsError(
        'UnsupportedProtocol',
        `The protocol ${protocol} is not supported by this installation. Use TCP or TLS.`,
      );
    throw validation(`Listener protocol '${protocol}' must be one of '${allowed.join(', ')}'`);
  }
  if (alpn.length > 0 && protocol !== 'TLS')
    throw validation(`An ALPN policy cannot be specified for listeners with protocol '${protocol}'`);
  if (protocol === 'HTTP' || protocol === 'TCP') {
    if (given.length > 0)
      throw validation(`Certificates cannot be specified for listeners with protocol '${protocol}'`);
    if (policy !== '') throw validation(`An SSL policy cannot be specified for listeners with protocol '${protocol}'`);
    return { protocol, port, certificates: [] };
  }
  const [certificate, ...more] = given;
  if (certificate === undefined) throw validation('A certificate must be specified for HTTPS and TLS listeners');
  if (more.length > 0) throw validation('Up to one certificate can be specified, but it must be the default one');
  if (certificate.IsDefault !== undefined)
    throw validation('IsDefault cannot be specified when a listener is made or changed');
  return {
    protocol: protocol as Protocol,
    port,
    sslPolicy: policyFor(policy).name,
    certificates: [await certificateFor(scene, draft, certificate.CertificateArn)],
    ...alpnFor(alpn),
  };
}

/** @throws ValidationError, ALPNPolicyNotFound */
function alpnFor([policy, ...more]: readonly string[]): Pick<ListenerRecord, 'alpnPolicy'> {
  if (policy === undefined) return {};
  if (more.length > 0) throw validation('Only one ALPN policy can be specified');
  if (Object.hasOwn(alpnPolicies, policy)) return { alpnPolicy: policy as AlpnPolicy };
  throw new AwsError(
    'ALPNPolicyNotFound',
    `ALPN policy '${policy.slice(0, 200)}' not found. Policies are ${Object.keys(alpnPolicies).join(', ')}.`,
  );
}

/** A listener that another load balancer of the same address has. @throws InvalidConfigurationRequest */
export function checkAddress(
  scene: Place,
  draft: Draft,
  balancer: Pick<LoadBalancerRecord, 'id' | 'address'>,
  port: number,
): void {
  const balancing = draft.carried;
  for (const other of balancing.all('loadbalancer'))
    if (other.id !== balancer.id && other.address === balancer.address)
      if (balancing.listenersOf(other.id).some((one) => one.port === port))
        throw invalidConfiguration(
          `Port ${port} of ${balancer.address} is taken by '${balancerArn(scene, other)}', which has the same address. Use another port, or give more addresses in SLIPWAY_LB_ADDRESSES.`,
        );
}

const isSame = (one: ListenerRecord, other: Settings & Pick<ListenerRecord, 'defaultAction' | 'tags'>): boolean =>
  one.protocol === other.protocol &&
  one.sslPolicy === other.sslPolicy &&
  one.alpnPolicy === other.alpnPolicy &&
  one.certificates[0] === other.certificates[0] &&
  JSON.stringify(one.defaultAction) === JSON.stringify(other.defaultAction) &&
  inOrder(one.tags) === inOrder(other.tags);

interface Made {
  readonly id: string;
  /** What the listener was before; undefined for a new one. */
  readonly before: ListenerRecord | undefined;
}

/**
 * Answers with a listener once every engine has bound it. One that is not bound does not stay: it is what it was before, and the caller
 * is told why.
 */
async function bound({ id, before }: Made, scene: Scene, balancing: Balancing) {
  const { api, account } = scene;
  const made = balancing.get('listener', id);
  if (made === undefined) throw notFound('listener');
  if (made !== before) {
    const { unbound, silent } = await api.traffic.settled(account, balancing.generation);
    const reason = unbound[id] ?? silent;
    if (reason !== undefined) {
      await api.balancers.change(account, (draft) => {
        const now = draft.get('listener', id);
        // Somebody may have changed it meanwhile: then it is theirs.
        if (JSON.stringify(now) !== JSON.stringify(made)) return;
        if (before === undefined) removeListener(draft, id);
        else draft.put('listener', before);
      });
      throw invalidConfiguration(`The listener on port ${made.port} cannot be served: ${reason}`);
    }
  }
  return { Listeners: [viewListener(scene, balancing, made)] };
}

function viewListener(scene: Scene, balancing: Balancing, record: ListenerRecord): Of<typeof listener> {
  const { balancer } = placeOf(balancing, record);
  return {
    ListenerArn: listenerArn(scene, balancing, record),
    LoadBalancerArn: balancerArn(scene, balancer),
    Port: record.port,
    Protocol: record.protocol,
    ...(record.certificates[0] === undefined ? {} : { Certificates: [{ CertificateArn: record.certificates[0] }] }),
    ...(record.sslPolicy === undefined ? {} : { SslPolicy: record.sslPolicy }),
    ...(record.alpnPolicy === undefined ? {} : { AlpnPolicy: [record.alpnPolicy] }),
    DefaultActions: [viewAction(scene, balancing, record.defaultAction)],
  };
}
