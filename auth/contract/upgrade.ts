import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { AccessList } from './access.ts';
import type { Call } from './call.ts';

/** A WebSocket endpoint; the upgrade request is authenticated by SigV4 for `service` and authorized before `accept` runs. */
export interface UpgradeService {
  readonly path: string;
  readonly service: string;
  readonly access: (query: URLSearchParams, call: Call) => AccessList | Promise<AccessList>;
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, call: Call): void;
  /** Ends its connections, which would not end by themselves: the gateway stops. */
  close(): Promise<void>;
}
