import { spawn } from 'node:child_process';
import { clientSettings } from './aws-client.ts';
import { CliError } from './errors.ts';
import { note, parseOutput, print, printJson } from './output.ts';
import { askServer } from './own-routes.ts';

export interface ConsoleOptions {
  readonly data?: string;
  readonly open?: boolean;
  readonly output: string;
}

/**
 * `slipway console`: prints the address of the web console with a code that signs in once, within a minute, as whoever the command's
 * credentials are; a terminal with a screen opens it. The code stands behind `#`, so that no server and no log ever sees it in an address.
 */
export async function openConsole(options: ConsoleOptions): Promise<void> {
  const output = parseOutput(options.output);
  const { endpoint } = clientSettings(options.data);
  const { code, expires } = (await askServer('POST', '/console/code', optional(options.data))) as {
    readonly code?: unknown;
    readonly expires?: unknown;
  };
  if (typeof code !== 'string' || typeof expires !== 'number')
    throw new CliError('the server answers with no code: is it a Slipway of this version?');
  const url = new URL(`/console/#code=${code}`, endpoint).href;
  if (output === 'json') return printJson({ url, expires: new Date(expires).toISOString() });
  print(url);
  const hasScreen = process.env['DISPLAY'] !== undefined || process.env['WAYLAND_DISPLAY'] !== undefined;
  if (options.open !== false && hasScreen && process.stdout.isTTY) {
    // Whoever has no such program opens the printed address by hand.
    const browser = spawn('xdg-open', [url], { detached: true, stdio: 'ignore' });
    browser.on('error', () => undefined).unref();
  }
  note('it signs in once, within a minute, with the rights of these credentials; the session lasts 12 hours at most');
}

const optional = (data: string | undefined): { data?: string } => (data === undefined ? {} : { data });
