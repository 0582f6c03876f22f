import type { ServiceDefinition } from '@slipway/auth/contract';
import { type OperationModel, parseQuery } from '@slipway/auth/protocol';
import { systemClock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';
import { memoryRecords } from '@slipway/storage/records/memory';
import { randomBytes, randomUUID } from 'node:crypto';

import { Networks } from '../../network/records/index.ts';
import { createElb, elbSchemas } from '../elb/index.ts';
import {
  createElbv2,
  elbv2Schemas,
  type InstanceDirectory,
  type ServerCertificate,
  type ServerCertificates,
  type Traffic,
} from '../elbv2/index.ts';
import { addressPool, Balancers, certificateArn } from '../records/index.ts';

import { account, type Answer, callerOf, region } from './caller.ts';

export { account, type Answer, region } from './caller.ts';
const prefix = `arn:aws:elasticloadbalancing:${region}:${account}:`;

/** How tests call an API. */
export interface Caller {
  /** Calls an operation as the gateway does: the input over the wire, access, then the handler. */
  readonly call: (name: string, input?: object, as?: string) => Promise<Answer>;
  /** What a call needs to be allowed: actions with their resources. */
  readonly access: (name: string, input?: object) => Promise<readonly string[]>;
  /** The code and message of the error that a call ends in. */
  readonly refusal: (name: string, input?: object, as?: string) => Promise<string>;
}

export interface TestBalancing extends Caller {
  readonly records: RecordStore;
  readonly balancers: Balancers;
  readonly networks: Networks;
  /** Why listeners are not bound, by port; engines that are not there, and answers that come late, by what they say. */
  readonly engines: { readonly unbound: Map<number, string>; silent: string | undefined };
  /** Puts a certificate there, without a key. @returns its ARN */
  readonly addCertificate: () => Promise<string>;
  readonly instances: Map<string, { address: string; zone: string; running: boolean }>;
  /** IAM's, by ARN. */
  readonly serverCertificates: Map<string, ServerCertificate>;
  /** The classic API, on the same records. */
  readonly classic: Caller;
  /** The default network's VPC and its subnets, one of each of two zones. */
  readonly network: { readonly vpcId: string; readonly subnets: readonly string[] };
}

type Schema = OperationModel['input'];

/** An input as the AWS CLI writes it. */
function writeForm(form: URLSearchParams, path: string, schema: Schema, value: unknown): void {
  if (value === undefined) return;
  if (schema.isListSchema()) {
    // As the AWS CLI does: an empty list is there, and empty.
    if ((value as readonly unknown[]).length === 0) form.set(path, '');
    for (const [index, element] of (value as readonly unknown[]).entries())
      writeForm(form, `${path}.member.${index + 1}`, schema.getValueSchema(), element);
  } else if (schema.isStructSchema() && typeof value === 'object') {
    for (const [name, given] of Object.entries(value as object)) {
      const member = new Map(schema.structIterator()).get(name);
      if (member === undefined) throw new Error(`${path}.${name} does not exist`);
      writeForm(form, path === '' ? name : `${path}.${name}`, member, given);
    }
  } else form.set(path, String(value as string));
}

/** Calls operations of a service that speaks Query. */
export function queryCallerOf(
  service: ServiceDefinition,
  schemas: Readonly<Record<string, unknown>>,
  version: string,
): Caller {
  const { call, access, refusal } = callerOf(service, schemas, {
    write: (name, shapes, input) => {
      const form = new URLSearchParams({ Action: name, Version: version });
      writeForm(form, '', shapes.input, input);
      return parseQuery(form.toString());
    },
    read: (answer) => answer,
    now: () => systemClock.now(),
  });
  return {
    call,
    access: async (name, input) =>
      (await access(name, input)).flatMap(({ action, resources }) =>
        resources.map(({ arn }) => `${action.replace(/^elasticloadbalancing:/, '')} ${arn.replace(prefix, '')}`),
      ),
    refusal,
  };
}

/** The API of ELB on records in memory, with engines that do at once what they are told. @param records those of another server */
export async function openBalancing(records: RecordStore = memoryRecords(systemClock)): Promise<TestBalancing> {
  const context = { records, clock: systemClock, random: randomBytes, region };
  const networks = new Networks({ ...context, zonesOfHosts: () => Promise.resolve([`${region}a`, `${region}b`]) });
  const balancers = new Balancers(context);
  const engines: TestBalancing['engines'] = { unbound: new Map(), silent: undefined };
  const instances = new Map<string, { address: string; zone: string; running: boolean }>();
  const traffic: Traffic = {
    settled: async (of) => {
      const listeners = (await balancers.read(of)).carried.all('listener');
      const reasons = listeners.flatMap(({ id, port }) => {
        const reason = engines.unbound.get(port);
        return reason === undefined ? [] : [[id, reason] as const];
      });
      return {
        unbound: Object.fromEntries(reasons),
        ...(engines.silent === undefined ? {} : { silent: engines.silent }),
      };
    },
    states: () => Promise.resolve(() => ({ code: 'active' })),
  };
  const pool = addressPool(['127.42.0.1', '127.42.0.2'], 'elb.localhost');
  const directory: InstanceDirectory = { find: (_account, id) => Promise.resolve(instances.get(id)) };
  const inIam = new Map<string, ServerCertificate>();
  const serverCertificates: ServerCertificates = { find: (_place, arn) => Promise.resolve(inIam.get(arn)) };
  const ports = { ...context, networks, balancers, traffic, pool, instances: directory, serverCertificates };
  const service = createElbv2(ports);
  const newer = queryCallerOf(service, elbv2Schemas, '2015-12-01');
  const addCertificate = async (): Promise<string> => {
    const id = randomUUID();
    await balancers.change(account, (draft) =>
      draft.put('certificate', {
        id,
        tags: {},
        domainName: 'web.example.com',
        names: ['web.example.com'],
        fingerprint: '00',
        serial: '01',
        subject: 'CN=web.example.com',
        issuer: 'web.example.com',
        notBefore: 0,
        notAfter: draft.now + 3_600_000,
        keyAlgorithm: 'EC_prime256v1',
        signatureAlgorithm: 'SHA256WITHECDSA',
        keyUsages: [],
        extendedKeyUsages: [],
        createdAt: draft.now,
        importedAt: draft.now,
      }),
    );
    return certificateArn({ region, account }, id);
  };
  const network = await networks.read(account);
  return {
    records,
    balancers,
    networks,
    engines,
    addCertificate,
    instances,
    serverCertificates: inIam,
    ...newer,
    classic: queryCallerOf(createElb(ports), elbSchemas, '2012-06-01'),
    network: {
      vpcId: network.defaultVpc?.id ?? '',
      subnets: network
        .all('subnet')
        .toSorted((a, b) => (a.zone < b.zone ? -1 : 1))
        .map(({ id }) => id),
    },
  };
}

/** The last part of an ARN. */
export const idOf = (arn: string): string => arn.slice(arn.lastIndexOf('/') + 1);

/** A load balancer with the group and the HTTP listener that most tests want. */
export async function openWeb(given?: TestBalancing) {
  const world = given ?? (await openBalancing());
  const { network, call } = world;
  const balancer = (await call('CreateLoadBalancer', { Name: 'web', Subnets: network.subnets })).LoadBalancers[0];
  const group = (
    await call('CreateTargetGroup', {
      Name: 'web',
      Protocol: 'HTTP',
      Port: 8080,
      VpcId: network.vpcId,
      TargetType: 'ip',
    })
  ).TargetGroups[0];
  const listener = (
    await call('CreateListener', {
      LoadBalancerArn: balancer.LoadBalancerArn,
      Protocol: 'HTTP',
      Port: 80,
      DefaultActions: [{ Type: 'forward', TargetGroupArn: group.TargetGroupArn }],
    })
  ).Listeners[0];
  return {
    ...world,
    balancer,
    group,
    listener,
    balancerArn: balancer.LoadBalancerArn as string,
    groupArn: group.TargetGroupArn as string,
    listenerArn: listener.ListenerArn as string,
  };
}
