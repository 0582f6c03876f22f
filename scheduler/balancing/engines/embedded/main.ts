import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { EngineError } from '../contract.ts';
import { createCarrier } from './carrier.ts';
import { longestState, writeApplied } from './protocol.ts';

/**
 * The embedded engine's process: carries traffic by what it is told over a socket that only its owner may use. Started by `openEmbedded`
 * with the socket's path; ends when told to, and not with the server that started it.
 */
const [socketPath = ''] = process.argv.slice(2);
const carrier = createCarrier();

// A fault that a request has caused must not take the other requests with it.
process.on('uncaughtException', (error) =>
  process.stderr.write(`${new Date().toISOString()} ${error.stack ?? error.message}\n`),
);
process.on('SIGHUP', () => undefined);

const control = createServer((request, response) => {
  answer(request).then(
    (body) => response.end(JSON.stringify(body)),
    (error: Error) => {
      response.statusCode = error instanceof EngineError ? 400 : 500;
      response.end(JSON.stringify({ error: error.message }));
    },
  );
});

async function answer(request: IncomingMessage): Promise<unknown> {
  switch (`${request.method} ${request.url}`) {
    case 'PUT /state':
      return writeApplied(await carrier.apply(JSON.parse(await bodyOf(request))));
    case 'GET /observation':
      return carrier.observe();
    case 'POST /stop':
      await carrier.stop();
      setImmediate(() => process.exit(0));
      return {};
    default:
      throw new EngineError(`there is no ${request.method} ${request.url}`);
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > longestState) throw new EngineError(`a state has at most ${longestState} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

process.umask(0o077);
rmSync(socketPath, { force: true });
control.listen(socketPath, () => chmodSync(socketPath, 0o600));
