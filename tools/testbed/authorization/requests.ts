import { type IncomingMessage, request as httpRequest } from 'node:http';
import * as codedeploy from '@aws-sdk/client-codedeploy';
import * as ecr from '@aws-sdk/client-ecr';
import * as ecrPublic from '@aws-sdk/client-ecr-public';
import * as ecs from '@aws-sdk/client-ecs';
import * as iam from '@aws-sdk/client-iam';
import * as efs from '@aws-sdk/client-efs';
import * as sts from '@aws-sdk/client-sts';
import { modelOf } from '@slipway/auth/protocol';
import aws4 from 'aws4';
import type { Installation } from '../../server/installation.ts';
import {
  AcmClient,
  acmModule,
  ClassicClient,
  classicModule,
  CloudWatchClient,
  cloudWatchModule,
  Ec2Client,
  ec2Module,
  ElbClient,
  elbModule,
  KmsClient,
  kmsModule,
  LogsClient,
  logsModule,
  ScalingClient,
  GroupsClient,
  groupsModule,
  scalingModule,
  SecretsClient,
  secretsModule,
  SsmClient,
  ssmModule,
} from '../query-clients.ts';
import { sampleInput, type SampleValues } from '../sample-input.ts';
import { arn, region, values, valuesOf } from './samples.ts';

export type Route = Installation['routes'][number];

const clients = {
  acm: { module: acmModule, client: AcmClient },
  codedeploy: { module: codedeploy, client: codedeploy.CodeDeployClient },
  ecr: { module: ecr, client: ecr.ECRClient },
  'ecr-public': { module: ecrPublic, client: ecrPublic.ECRPUBLICClient },
  ec2: { module: ec2Module, client: Ec2Client },
  elasticfilesystem: { module: efs, client: efs.EFSClient },
  elasticloadbalancing: { module: elbModule, client: ElbClient },
  classic: { module: classicModule, client: ClassicClient },
  ecs: { module: ecs, client: ecs.ECSClient },
  iam: { module: iam, client: iam.IAMClient },
  kms: { module: kmsModule, client: KmsClient },
  logs: { module: logsModule, client: LogsClient },
  monitoring: { module: cloudWatchModule, client: CloudWatchClient },
  autoscaling: { module: groupsModule, client: GroupsClient },
  'application-autoscaling': { module: scalingModule, client: ScalingClient },
  secretsmanager: { module: secretsModule, client: SecretsClient },
  ssm: { module: ssmModule, client: SsmClient },
  sts: { module: sts, client: sts.STSClient },
} as const;
export type Called = keyof typeof clients;

export interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}
export type Who = 'anonymous' | 'nobody' | 'reader' | 'other account' | 'expired' | 'admin';
export interface Answer {
  readonly status: number;
  readonly code: string;
  readonly text: string;
}
type Sender = { send(command: object): Promise<object>; destroy(): void };

const refusals = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'UnauthorizedOperation',
  'AuthFailure',
  'RequestExpired',
  'MissingAuthenticationToken',
  'MissingAuthenticationTokenException',
  'ExpiredToken',
  'ExpiredTokenException',
  'UNAUTHORIZED',
  'DENIED',
]);
/** Whether an answer is one that somebody without the right gets. */
export const refused = ({ status, code }: Answer): boolean => status >= 400 && status < 500 && refusals.has(code);

/** Whose routes outside the AWS APIs want a signature, and for which service. */
const signed = new Map([
  ['webhook-administration', 'ecs'],
  ['hook-administration', 'ecs'],
  ['alarm-administration', 'monitoring'],
  ['rotation-administration', 'secretsmanager'],
  ['group-administration', 'autoscaling'],
  ['subscription-administration', 'logs'],
  ['host-administration', 'ecs'],
  ['load-balancers', 'elasticloadbalancing'],
  ['agent-program', 'ecs'],
  ['console-code', 'ecs'],
  ['denials', 'iam'],
  ['s3', 's3'],
]);

/** Whoever calls an installation: nobody, somebody, and those who should not get in. */
export class Callers {
  readonly #url: string;
  readonly keys = new Map<Who, Key>();
  /** Sessions that are over; they take turns, so that none fails so often that it is throttled instead of refused. */
  readonly expired: Key[] = [];
  /** What `docker login` gives, by who has it. */
  readonly passwords = new Map<Who, string>();
  /** Members of inputs by service; ids that are the server's to choose are added once they are known. */
  readonly samples: Record<string, SampleValues> = { ...valuesOf };
  readonly #open: Sender[] = [];
  readonly #senders = new Map<string, Sender>();
  #turn = 0;

  constructor(url: string) {
    this.#url = url;
  }

  close(): void {
    for (const client of this.#open) client.destroy();
  }

  /** A client of the SDK in somebody's name. */
  as(who: Who, service: Called): Sender {
    // Asked before every call, because what it gives has always run out.
    const credentials = async () => ({ ...this.#keyOf(who), expiration: new Date(0) });
    const client = new clients[service].client({
      endpoint: this.#url,
      region,
      maxAttempts: 1,
      credentials: who === 'anonymous' ? { accessKeyId: 'AKIA', secretAccessKey: 'x' } : credentials,
      ...(who === 'anonymous' ? { signer: { sign: async (request: never) => request } } : {}),
    }) as unknown as Sender;
    this.#open.push(client);
    return client;
  }

  /** An operation in the administrator's name. @returns its output */
  async admin(service: Called, operation: string, input: object = {}): Promise<Record<string, unknown>> {
    const Command = commandOf(clients[service].module, operation);
    return (await this.as('admin', service).send(new Command(input))) as Record<string, unknown>;
  }

  #keyOf(who: Who): Key {
    const key = who === 'expired' ? this.expired[this.#turn++ % this.expired.length] : this.keys.get(who);
    if (key === undefined) throw new Error(`${who} has no key`);
    return key;
  }

  /** Calls a route with the least that it takes. */
  async call(route: Route, who: Who): Promise<Answer> {
    if (route.kind === 'aws') return this.#callAws(route, who);
    if (route.kind === 'upgrade') return this.#callUpgrade(route, who);
    const response = await fetch(`${this.#url}${route.path ?? ''}`, {
      method: route.method ?? 'GET',
      headers: this.#webHeaders(route, who),
    });
    const text = await response.text();
    const [, ours, ofS3] = /"code":"([A-Z_]+)"|<Code>(\w+)<\/Code>/.exec(text) ?? [];
    // The answer to HEAD has no body to name the error.
    const byStatus = ({ 401: 'UNAUTHORIZED', 403: 'DENIED', 400: 'ExpiredToken' } as Record<number, string>)[
      response.status
    ];
    const unnamed = response.status === 400 && route.method !== 'HEAD' ? undefined : byStatus;
    return { status: response.status, code: ours ?? ofS3 ?? unnamed ?? '', text };
  }

  /** What `who` sends to a route that is not an AWS API: docker's password, or a signature where the route asks for one. */
  #webHeaders({ service, method = 'GET', path = '/' }: Route, who: Who): Record<string, string> {
    const signedFor = signed.get(service);
    if (signedFor !== undefined && who !== 'anonymous') {
      const { host } = new URL(this.#url);
      return aws4.sign({ method, host, path, service: signedFor, region }, this.#keyOf(who)).headers as Record<
        string,
        string
      >;
    }
    const password = this.passwords.get(who);
    return password === undefined ? {} : { authorization: `Basic ${password}` };
  }

  async #callAws({ service: name, operation, apiVersion }: Route, who: Who): Promise<Answer> {
    const service = apiVersion === '2012-06-01' ? 'classic' : name;
    const known = clients[service as Called];
    if (known === undefined) throw new Error(`add the SDK client of ${service} to this test`);
    const key = `${who} ${service}`;
    const sender = this.#senders.get(key) ?? this.as(who, service as Called);
    this.#senders.set(key, sender);
    const model = modelOf(known.module).operations.get(operation);
    if (model === undefined) throw new Error(`${service}:${operation} is not in the SDK`);
    const Command = commandOf(known.module, operation);
    try {
      const output = await sender.send(
        new Command(sampleInput(operation, model.input, this.samples[service] ?? values)),
      );
      return { status: 200, code: '', text: JSON.stringify(output) };
    } catch (error) {
      const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
      return { status: $metadata?.httpStatusCode ?? 0, code: name, text: `${name}: ${message}` };
    }
  }

  #callUpgrade({ path = '/', service }: Route, who: Who): Promise<Answer> {
    const url = new URL(this.#url);
    const headers: Record<string, string> = {
      Host: url.host,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Key': 'c2xpcHdheXNsaXB3YXkhIQ==',
      'Sec-WebSocket-Version': '13',
    };
    const target = `${path}?clusterArn=${arn('ecs', 'cluster/default')}&containerInstanceArn=${arn('ecs', `container-instance/default/${'0'.repeat(32)}`)}`;
    const signed =
      who === 'anonymous'
        ? headers
        : (aws4.sign({ method: 'GET', host: url.host, path: target, service, region, headers }, this.#keyOf(who))
            .headers as Record<string, string>);
    return new Promise((resolve, reject) => {
      const request = httpRequest({ host: url.hostname, port: url.port, path: target, headers: signed });
      request.on('error', reject);
      request.on('upgrade', (response: IncomingMessage, socket) => {
        socket.destroy();
        resolve({ status: response.statusCode ?? 101, code: '', text: '' });
      });
      request.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          const code = /"__type":"([A-Za-z]+)"/.exec(text)?.[1] ?? '';
          resolve({ status: response.statusCode ?? 0, code, text });
        });
      });
      request.end();
    });
  }
}

function commandOf(module: object, operation: string): new (input: object) => object {
  const Command = (module as Record<string, new (input: object) => object>)[`${operation}Command`];
  if (Command === undefined) throw new Error(`the SDK has no command ${operation}`);
  return Command;
}
