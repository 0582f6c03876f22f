import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import { AwsError, type Call, type UpgradeService } from '@slipway/auth/contract';
import { arnOf } from '@slipway/auth/kit';
import { type WebSocket, WebSocketServer } from 'ws';

import type { TrafficEngine } from '../engines/index.ts';
import { openWebSocket, refuseUpgrade, watchLiveness } from '../../hosts/control/index.ts';
import { balancingKeys, balancingPartition } from '../records/index.ts';
import { EngineDriver } from '../traffic/index.ts';

import { balancerPath, longestAnswer, namePattern } from './frames.ts';
import { remoteEngine } from './remote-engine.ts';

type Options = ConstructorParameters<typeof EngineDriver>[0] & { readonly region: string };

/** How the engines of other hosts are known in the records: no engine of a server can have such a name. */
export const remoteId = (name: string): string => `balancer:${name}`;

const kinds: readonly string[] = ['embedded', 'haproxy'] satisfies readonly TrafficEngine['kind'][];

export interface BalancerEndpoint extends UpgradeService {
  /**
   * A connection that was let through: drives the engine at its other end until it is over.
   * @param open makes it, paused
   * @throws AwsError for names and kinds that no engine has, and for those of other accounts
   */
  connect(query: URLSearchParams, call: Call, open: () => Promise<WebSocket>): Promise<void>;
}

/**
 * Where engines of other hosts connect: the server that an engine is connected to drives it as it drives its own. Needs
 * `slipway:CarryTraffic` on `arn:aws:elasticloadbalancing:REGION:ACCOUNT:engine/NAME`: whoever carries traffic gets the private keys of
 * certificates, so each engine has credentials of its own that are good for its name alone.
 */
export function createBalancerEndpoint(options: Options): BalancerEndpoint {
  const server = new WebSocketServer({ noServer: true, maxPayload: longestAnswer, perMessageDeflate: false });
  const connected = new Map<string, { readonly ws: WebSocket; readonly end: () => Promise<unknown> }>();
  let isClosed = false;

  async function serve(ws: WebSocket, name: string, kind: TrafficEngine['kind']): Promise<void> {
    const over = new AbortController();
    const engine = remoteEngine(ws, { name, kind, clock: options.clock });
    const driver = new EngineDriver(options, { id: remoteId(name), open: engine.open });
    const before = connected.get(name);
    const driving = (async () => {
      // The connection before of this name is of a process that is gone, or of one too many.
      before?.ws.terminate();
      await before?.end();
      await driver.run(over.signal);
    })();
    const own = {
      ws,
      end: async () => {
        over.abort();
        await driving;
      },
    };
    connected.set(name, own);
    const live = watchLiveness(ws, options.clock, over.signal);
    ws.resume();
    const how = await engine.over;
    await own.end();
    await live;
    if (connected.get(name) === own) connected.delete(name);
    // It carries nothing any more: nobody waits for it.
    if (how === 'left')
      await options.records.commit(balancingPartition(options.account), {
        remove: [balancingKeys.engine(remoteId(name))],
      });
    if (how === 'left') ws.close(1000);
  }

  /** Why a connection is not served. */
  function refusalOf(
    query: URLSearchParams,
    call: Call,
  ): { readonly status: 400 | 403 | 503; readonly code: string; readonly message: string } | undefined {
    const { account } = options;
    if (!namePattern.test(query.get('name') ?? '') || !kinds.includes(query.get('kind') ?? ''))
      return {
        status: 400,
        code: 'InvalidParameterException',
        message: 'name is letters, digits, dots and hyphens, at most 63; kind is embedded or haproxy.',
      };
    if (call.account !== account)
      return { status: 403, code: 'AccessDeniedException', message: `this installation balances for ${account}.` };
    if (isClosed) return { status: 503, code: 'ServerException', message: 'this server is stopping.' };
    return undefined;
  }

  async function admit(query: URLSearchParams, open: () => Promise<WebSocket>): Promise<void> {
    const { log } = options;
    const name = query.get('name') ?? '';
    const kind = query.get('kind') as TrafficEngine['kind'];
    const engine = remoteId(name);
    const ws = await open();
    log.info({ engine, kind }, 'an engine of another host is connected');
    await serve(ws, name, kind);
    log.info({ engine }, 'an engine of another host is not connected any more');
  }

  async function accept(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    call: Call,
    query: URLSearchParams,
  ): Promise<void> {
    const { log } = options;
    const onError = (err: Error): void => log.info({ err }, 'the connection of an engine broke');
    socket.on('error', onError);
    const upgraded = (): Promise<WebSocket> => openWebSocket(server, request, socket, head, onError);
    try {
      const refusal = refusalOf(query, call);
      if (refusal !== undefined) return refuseUpgrade(socket, refusal.status, refusal.code, refusal.message);
      await admit(query, upgraded);
    } catch (err) {
      log.warn({ engine: remoteId(query.get('name') ?? ''), err }, 'the connection of an engine ended with an error');
      socket.destroy();
    }
  }

  return {
    path: balancerPath,
    service: 'elasticloadbalancing',
    access: (query, call) => {
      const resource = `engine/${namePattern.test(query.get('name') ?? '') ? query.get('name') : '*'}`;
      const arn = arnOf({ service: 'elasticloadbalancing', region: options.region, account: call.account, resource });
      return [{ action: 'slipway:CarryTraffic', resources: [{ arn }] }];
    },
    accept: (...opening) => void accept(...opening),
    async connect(query, call, open) {
      const refusal = refusalOf(query, call);
      if (refusal !== undefined) throw new AwsError(refusal.code, refusal.message);
      await admit(query, open);
    },
    async close() {
      isClosed = true;
      await Promise.all([...connected.values()].map(({ end }) => end()));
      for (const { ws } of connected.values()) ws.terminate();
    },
  };
}
