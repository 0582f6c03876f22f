import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { AccessList } from './access.ts';
import type { Call } from './call.ts';

/** An endpoint of WebSockets, or of another protocol; the upgrade request is authenticated by SigV4 for `service` and authorized before `accept` runs. */
export interface UpgradeService {
  readonly path: string;
  /** What connections are upgraded to, in lower case. Default: `websocket`. `accept` sees requests for those of other services as well. */
  readonly protocol?: string;
  readonly service: string;
  /**
   * What the opener must be allowed. `'proof'`: nobody is known yet, and `accept` is called for every stranger: the first message has to
   * prove what the connection is for (a token that was handed out to somebody who was allowed it).
   */
  readonly access: 'proof' | ((query: URLSearchParams, call: Call) => AccessList | Promise<AccessList>);
  /** With `'proof'`: what nobody can get is refused before there is a connection. @throws AwsError */
  readonly check?: (query: URLSearchParams, call: Call) => void;
  /** What the audit line says of a connection beside who opened it; and one more line when it ends, with what this says then. */
  readonly audit?: {
    readonly opened: (query: URLSearchParams) => string;
    readonly closed: (query: URLSearchParams, call: Call) => string;
    /** Characters of it that are kept. Default: 512. Whoever may open a connection has that many written each time. */
    readonly longest?: number;
  };
  /** @param query what `access` or `check` has decided about: a second way to read the request would be a way around that */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, call: Call, query: URLSearchParams): void;
  /** Ends its connections, which would not end by themselves: the gateway stops. */
  close(): Promise<void>;
}
