import { randomBytes } from 'node:crypto';
import { ExecClient } from '@slipway/scheduler/exec/protocol';
import { systemClock } from '@slipway/storage/clock';
import { WebSocket } from 'ws';

/**
 * Stands for session-manager-plugin where that is not installed: takes the arguments that the AWS command line starts it with, speaks the
 * same protocol as the same kind of client, and ends with 0 whatever the command did, as the plug-in does.
 */
const [given, region, operation, , target = '', endpoint] = process.argv.slice(2);
if (given !== undefined) {
  const text = given.startsWith('{') ? given : (process.env[given] ?? '');
  const session = JSON.parse(text) as Record<'SessionId' | 'StreamUrl' | 'TokenValue', string>;
  const members = session as Record<string, string>;
  const streamUrl = members['streamUrl'] ?? session.StreamUrl;
  const tokenValue = members['tokenValue'] ?? session.TokenValue;
  const asked = (JSON.parse(target) as { Target: string }).Target;
  process.stderr.write(`${region} ${operation} ${asked} ${endpoint}\n`);
  const ws = new WebSocket(streamUrl, { perMessageDeflate: false });
  const over = new AbortController();
  const client = new ExecClient({
    clock: systemClock,
    random: randomBytes,
    version: '1.2.707.0',
    socket: {
      send: (frame) => {
        if (ws.readyState === ws.OPEN) ws.send(frame);
      },
    },
    output: (bytes) => process.stdout.write(bytes),
    ready: () => {
      client.resize(300, 100);
      process.stdin.on('data', (bytes: Buffer) => client.write(bytes));
    },
    exited: () => process.stderr.write('an exit code that the plug-in does not know\n'),
    closed: (output) => {
      process.stdout.write(output === '' ? `\n\nExiting session with sessionId.\n` : `\n\nSessionId : ${output}\n`);
      over.abort();
      ws.close();
      process.stdin.destroy();
    },
  });
  ws.on('open', () => {
    client.run(tokenValue, over.signal).catch(() => undefined);
  });
  ws.on('message', (data, isBinary) => isBinary && client.receive(data as Buffer));
}
