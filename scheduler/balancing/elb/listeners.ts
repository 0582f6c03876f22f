import { AwsError } from '@slipway/auth/contract';

import { certificateFor, checkAddress } from '../elbv2/index.ts';
import {
  type Balancing,
  type ClassicListener,
  classicListenerId,
  type ClassicProtocol,
  type ClassicRecord,
  type Draft,
} from '../records/index.ts';

import { invalidConfiguration, validation } from './errors.ts';
import { keep } from './instances.ts';
import { type ClassicOperations, find, mayOn, operation, type Scene } from './operation.ts';
import { byName, list, listeners, nothing, number, type Of, required, struct, text } from './shapes.ts';

/** Listeners of a load balancer (ELB user guide, "Quotas for your Classic Load Balancer"). */
const mostListeners = 100;

/** Listeners of Classic Load Balancers. */
export const listenerOperations: ClassicOperations = {
  CreateLoadBalancerListeners: operation({
    input: struct('CreateLoadBalancerListenerInput', { ...byName, Listeners: required(listeners) }),
    output: nothing,
    access: mayOn('CreateLoadBalancerListeners', ({ LoadBalancerName }) => [LoadBalancerName]),
    change: async ({ LoadBalancerName, Listeners }, scene, draft) => {
      const before = find(draft, LoadBalancerName);
      const added = await listenersFor(scene, draft, Listeners);
      const isNew = ({ port, ...one }: ClassicListener): boolean => {
        const other = before.listeners.find((present) => present.port === port);
        if (other === undefined) return true;
        if (JSON.stringify(other) === JSON.stringify({ port, ...one })) return false;
        throw new AwsError(
          'DuplicateListener',
          `A listener already exists for ${before.name} with LoadBalancerPort ${port}, but with a different InstancePort, Protocol, or SSLCertificateId`,
        );
      };
      const after = { ...before, listeners: [...before.listeners, ...added.filter(isNew)] };
      checkListeners(scene, draft, after);
      return { after: await keep(scene, draft, after), before };
    },
    answer: bound,
  }),
  DeleteLoadBalancerListeners: operation({
    input: struct('DeleteLoadBalancerListenerInput', { ...byName, LoadBalancerPorts: required(list(number)) }),
    output: nothing,
    access: mayOn('DeleteLoadBalancerListeners', ({ LoadBalancerName }) => [LoadBalancerName]),
    change: async ({ LoadBalancerName, LoadBalancerPorts: ports }, scene, draft) => {
      const before = find(draft, LoadBalancerName);
      const kept = before.listeners.filter(({ port }) => !ports.includes(port));
      return keep(scene, draft, { ...before, listeners: kept });
    },
    answer: settled,
  }),
  SetLoadBalancerListenerSSLCertificate: operation({
    input: struct('SetLoadBalancerListenerSSLCertificateInput', {
      ...byName,
      LoadBalancerPort: required(number),
      SSLCertificateId: required(text),
    }),
    output: nothing,
    access: mayOn('SetLoadBalancerListenerSSLCertificate', ({ LoadBalancerName }) => [LoadBalancerName]),
    change: async ({ LoadBalancerName, LoadBalancerPort: port, SSLCertificateId }, scene, draft) => {
      const before = find(draft, LoadBalancerName);
      const listener = before.listeners.find((one) => one.port === port);
      if (listener === undefined)
        throw new AwsError('ListenerNotFound', `There is no listener on port ${port} of ${before.name}`);
      if (listener.certificate === undefined)
        throw invalidConfiguration(`The listener on port ${port} of ${before.name} is neither HTTPS nor SSL`);
      const certificate = await certificateOf(scene, draft, SSLCertificateId);
      const after = before.listeners.map((one) => (one === listener ? { ...one, certificate } : one));
      return { after: await keep(scene, draft, { ...before, listeners: after }), before };
    },
    answer: bound,
  }),
};

const layers: Readonly<Record<ClassicProtocol, 'http' | 'stream'>> = {
  HTTP: 'http',
  HTTPS: 'http',
  TCP: 'stream',
  SSL: 'stream',
};

function protocolOf(given: string): ClassicProtocol {
  const protocol = given.toUpperCase();
  if (Object.hasOwn(layers, protocol)) return protocol as ClassicProtocol;
  throw new AwsError(
    'UnsupportedProtocol',
    `The protocol '${given.slice(0, 50)}' is not supported: use HTTP, HTTPS, TCP or SSL`,
  );
}

/** The listeners that a request asks for. @throws ValidationError, UnsupportedProtocol, InvalidConfigurationRequest, CertificateNotFound */
export async function listenersFor(
  scene: Scene,
  draft: Draft,
  given: Of<typeof listeners>,
): Promise<readonly ClassicListener[]> {
  if (given.length === 0) throw validation('Listeners must be specified');
  const made: ClassicListener[] = [];
  for (const one of given) {
    const { Protocol, LoadBalancerPort: port, InstanceProtocol, InstancePort, SSLCertificateId = '' } = one;
    const protocol = protocolOf(Protocol);
    // What is not said is what the other side speaks, without TLS.
    const usual = layers[protocol] === 'http' ? 'HTTP' : 'TCP';
    const instanceProtocol =
      InstanceProtocol === undefined || InstanceProtocol === '' ? usual : protocolOf(InstanceProtocol);
    if (layers[protocol] !== layers[instanceProtocol])
      throw invalidConfiguration(
        `Protocol ${protocol} of a listener does not go with the instance protocol ${instanceProtocol}: both must be HTTP or HTTPS, or TCP or SSL`,
      );
    const isSecure = protocol === 'HTTPS' || protocol === 'SSL';
    if (isSecure !== (SSLCertificateId !== ''))
      throw invalidConfiguration(
        isSecure
          ? `An SSL certificate must be specified for listeners with protocol ${protocol}`
          : `An SSL certificate cannot be specified for listeners with protocol ${protocol}`,
      );
    made.push({
      port,
      protocol,
      instanceProtocol,
      instancePort: InstancePort,
      ...(isSecure ? { certificate: await certificateOf(scene, draft, SSLCertificateId) } : {}),
    });
  }
  if (new Set(made.map(({ port }) => port)).size < made.length)
    throw new AwsError('DuplicateListener', 'Two listeners have the same LoadBalancerPort');
  return made;
}

/** @throws CertificateNotFound and InvalidConfigurationRequest, in the classic API's words */
const certificateOf = (scene: Scene, draft: Draft, arn: string): Promise<string> =>
  certificateFor(scene, draft, arn, (shown) => `Server Certificate not found for the key: ${shown}`);

/** @throws InvalidConfigurationRequest when there are too many, or another load balancer of the same address has a port */
export function checkListeners(scene: Scene, draft: Draft, record: ClassicRecord): void {
  if (record.listeners.length > mostListeners)
    throw invalidConfiguration(
      `The maximum number of listeners of a load balancer has been reached: ${mostListeners}.`,
    );
  for (const { port } of record.listeners) checkAddress(scene, draft, record, port);
}

interface Made {
  readonly after: ClassicRecord;
  /** What it was; undefined for a new one. */
  readonly before: ClassicRecord | undefined;
}

/** Answers once every engine has bound all listeners. Where one cannot be, everything is what it was, and the caller is told why. */
export async function bound({ after, before }: Made, scene: Scene, balancing: Balancing): Promise<object> {
  const { api, account } = scene;
  const { unbound, silent } = await api.traffic.settled(account, balancing.generation);
  for (const { port } of after.listeners) {
    const reason = unbound[classicListenerId(after, port)] ?? silent;
    if (reason === undefined) continue;
    await api.balancers.change(account, async (draft) => {
      // Somebody may have changed it meanwhile: then it is theirs.
      if (JSON.stringify(draft.get('classic', after.id)) !== JSON.stringify(after)) return;
      if (before === undefined) remove(draft, after);
      else await keep(scene, draft, before);
    });
    throw invalidConfiguration(`The listener on port ${port} cannot be served: ${reason}`);
  }
  return {};
}

/** An answer without members, once the engines do what was asked for: a port is free again when the answer is there. */
export async function settled(_made: unknown, { api, account }: Scene, balancing: Balancing): Promise<object> {
  await api.traffic.settled(account, balancing.generation);
  return {};
}

/** Removes a load balancer with its targets, which have no way in any more. */
export function remove(draft: Draft, record: ClassicRecord): void {
  for (const { id, groupId } of draft.all('target'))
    if (groupId.startsWith(`${record.id}-`)) draft.remove('target', id);
  draft.remove('classic', record.id);
}
