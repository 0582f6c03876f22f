import { createServer } from 'node:http';
import { freePort } from '@slipway/storage/testing';

/** Hands the peer's docker clients the one token that there is: its token authentication needs a place to get it from. */
export interface TokenServer {
  readonly realm: string;
  token: string;
  close(): void;
}

export async function startTokenServer(): Promise<TokenServer> {
  const port = await freePort();
  const served: TokenServer = { realm: `http://127.0.0.1:${port}/token`, token: '', close: () => server.close() };
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ token: served.token, expires_in: 14_400 }));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return served;
}
