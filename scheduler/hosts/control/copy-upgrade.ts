import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import type { Call, UpgradeService } from '@slipway/auth/contract';

import { acceptCopy, copyProtocol } from '../../exec/protocol/index.ts';
import { copyPath } from '../wire/index.ts';

import { admit, connectAccess, ConnectionRefused } from './admit.ts';
import type { AgentControlOptions } from './options.ts';
import { refuseUpgrade } from './peer.ts';

/** The query parameter that names the container instance. */
const parameter = 'containerInstanceArn';

/** A host comes for a copy of files whose client waits here: what both say goes on from there, and ends with it. */
export function copyUpgrade(options: AgentControlOptions): UpgradeService {
  return {
    path: copyPath,
    protocol: copyProtocol,
    service: 'ecs',
    access: (query, call) => connectAccess(options, 'ecs:Poll', query.get(parameter) ?? '', call),
    accept: (...opening) => {
      const [, socket] = opening;
      const failed = (err: unknown): void => {
        options.log.warn({ err }, 'the connection of a copy ended with an error');
        socket.destroy();
      };
      accept(options, ...opening).catch(failed);
    },
    // Whoever waits for hosts ends copies.
    close: () => Promise.resolve(),
  };
}

async function accept(
  options: AgentControlOptions,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  call: Call,
  query: URLSearchParams,
): Promise<void> {
  const session = query.get('session') ?? '';
  try {
    const { id } = await admit(options, parameter, query, call);
    // Several servers may be behind the address that it knows: one has the client, the others say that they have not.
    if (!options.copies.awaits(session, id))
      throw new ConnectionRefused(400, 'SessionNotHereException', 'No client waits here for this copy.');
    const channel = acceptCopy(request, socket, head);
    if (channel !== undefined && !options.copies.join(session, id, channel)) channel.terminate();
  } catch (error) {
    if (!(error instanceof ConnectionRefused)) throw error;
    refuseUpgrade(socket, error.status, error.exception, error.message);
  }
}
