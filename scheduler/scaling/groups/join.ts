import {
  AwsError,
  GatewayError,
  hostSecretHeader,
  type Principal,
  renderPlainError,
  type WebRoute,
  type WebService,
} from '@slipway/auth/contract';
import { transact } from '@slipway/storage/records';
import { z } from 'zod';

import { invalidParameter } from '../../cluster/index.ts';
import { arns, groupAttribute, toJson } from '../../state/index.ts';

import type { GroupsPorts } from './groups.ts';
import { hostHash, readJoinToken } from './join-token.ts';
import { groupKeys, groupsPartition } from './keys.ts';
import type { MachineRecord } from './records.ts';
import { joinWithin } from './room.ts';
import { isPooled } from './warm-pool.ts';

/** Credentials of a machine, for an hour or so. */
export interface MachineCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
  readonly principal: Principal;
}

export interface JoinPorts extends GroupsPorts {
  readonly joinKey: Uint8Array;
  /**
   * Takes on the role of a machine's instance profile, as EC2 would; the name of the session is the machine's id.
   * @throws AwsError when the role is not there, or does not trust EC2
   */
  readonly machineCredentials: (role: string, machine: string) => Promise<MachineCredentials>;
}

const path = '/slipway/machines/join';
const bodyShape = z.object({ token: z.string().max(200) });
/** What nobody guesses: 128 bits take 22 characters of base64url. */
const shortestSecret = 22;

const refused = (why: string): GatewayError => new GatewayError('unauthenticated', why);

/**
 * `POST /slipway/machines/join`, with the right to join of a machine as `{"token"}` and the secret of its host in a header: answers with credentials of the
 * role that the machine acts as. The right is used up by the first host that shows it, within ten minutes of the launch; from then on it is good for that
 * host alone, which renews its credentials so until its machine ends. Who has a token and another host's secret, or none, gets nothing.
 */
export function createMachineJoin(ports: JoinPorts): WebService {
  return {
    name: 'machine-join',
    prefix: '/slipway/machines/',
    authentication: 'none',
    samples: [{ method: 'POST', path }],
    route(method, asked): WebRoute | undefined {
      if (method !== 'POST' || asked !== path) return undefined;
      let joined: { readonly machine: MachineRecord; readonly credentials: MachineCredentials };
      return {
        name: 'POST join of a machine',
        caller: async (ctx, readBody) => {
          const body = await readBody(1024);
          const machine = await claim(ports, tokenOf(body), ctx.get(hostSecretHeader));
          const credentials = await ports.machineCredentials(machine.role, machine.id).catch((error: unknown) => {
            throw error instanceof AwsError ? refused(error.message) : error;
          });
          joined = { machine, credentials };
          return { principal: credentials.principal, via: 'machine' };
        },
        // What it does next: a role that may not do that is told so at once.
        access: (call) => {
          const arn = arns.cluster(ports.region, call.account, joined.machine.cluster);
          return [{ action: 'ecs:RegisterContainerInstance', resources: [{ arn }], context: { 'ecs:cluster': arn } }];
        },
        handle: (ctx) => {
          const { accessKeyId, secretAccessKey, sessionToken, expiration } = joined.credentials;
          ctx.set('Cache-Control', 'no-store');
          ctx.body = {
            instanceId: joined.machine.id,
            accessKeyId,
            secretAccessKey,
            sessionToken,
            expiration: expiration.toISOString(),
          };
          return Promise.resolve();
        },
      };
    },
    renderError: renderPlainError,
  };
}

function tokenOf(body: Buffer): string {
  try {
    return bodyShape.parse(JSON.parse(body.toString('utf8'))).token;
  } catch {
    throw refused('The body must be {"token": the right to join of a machine}.');
  }
}

/** The machine of a token, which is this host's from now on. @throws GatewayError */
async function claim(ports: JoinPorts, token: string, secret: string): Promise<MachineRecord> {
  // Nothing is read for what this installation did not make.
  const named = readJoinToken(ports.joinKey, token);
  if (named === undefined) throw refused('This is no right to join of this installation.');
  if (secret.length < shortestSecret || secret.length > 200)
    throw refused(`The header ${hostSecretHeader} must hold at least ${shortestSecret} random characters.`);
  const host = hostHash(secret);
  return transact(ports.records, groupsPartition(named.account), async (tx) => {
    const key = groupKeys.machine(named.machine);
    const machine = await tx.get<MachineRecord>(key);
    if (machine === undefined) throw refused(`The machine ${named.machine} was ended.`);
    if (isPooled(machine)) throw refused(`The machine ${named.machine} waits in the warm pool of its group.`);
    if (machine.host === host) return machine;
    if (machine.host !== undefined)
      throw refused(`Another host has joined as ${named.machine}; a right to join is used once.`);
    if (machine.state !== 'Pending' || ports.clock.now() > machine.stateAt + joinWithin)
      throw refused(`The right to join of ${named.machine} is over: it had ten minutes.`);
    const bound = { ...machine, host };
    tx.put(key, toJson(bound));
    return bound;
  });
}

/** Who registers as a machine of a group, and as which container instance. */
export type MachineOf = (
  call: {
    readonly account: string;
    readonly principal: Principal;
    readonly hostSecret?: string | undefined;
  },
  cluster: string,
) => Promise<{ readonly instance: string; readonly attributes: Readonly<Record<string, string>> } | undefined>;

/**
 * Finds the machine that a caller is: its session is called by the machine's id, and its host is the one that has joined as it. A machine that was ended
 * and still runs is nobody: as a container instance of its own it would get tasks, and nobody would ever take it away.
 * @returns undefined for every other caller @throws AwsError for another host, another cluster, or a machine that was ended
 */
export const machineOf =
  (ports: GroupsPorts): MachineOf =>
  async ({ account, principal, hostSecret }, cluster) => {
    const id = /:assumed-role\/[^/]+\/(i-[0-9a-f]{17})$/.exec(principal.arn)?.[1];
    if (principal.type !== 'assumed-role' || id === undefined) return undefined;
    const machine = (await ports.records.get<MachineRecord>(groupsPartition(account), groupKeys.machine(id)))?.value;
    const refuse = (why: string): AwsError =>
      new AwsError('AccessDeniedException', `${principal.arn} cannot register as ${id}: ${why}.`, { status: 403 });
    // In the words by which an agent knows that it has to end what it ran.
    if (machine === undefined)
      throw invalidParameter(
        `The container instance of ${id} is not registered: no group has such a machine any more.`,
      );
    if (isPooled(machine))
      throw invalidParameter(
        `The container instance of ${id} is not registered: it waits in the warm pool of its group.`,
      );
    if (hostSecret === undefined || machine.host !== hostHash(hostSecret))
      throw refuse('another host has joined as it');
    if (machine.cluster !== cluster) throw refuse(`its group has it in the cluster ${machine.cluster}`);
    return {
      instance: machine.instance,
      attributes: {
        'ecs.instance-type': machine.instanceType,
        'ecs.ami-id': machine.imageId,
        [groupAttribute]: machine.group,
        ...(machine.subnet === undefined ? {} : { 'ecs.subnet-id': machine.subnet }),
      },
    };
  };
