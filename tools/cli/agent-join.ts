import { hostSecretHeader } from '@slipway/auth/contract';
import type { AgentCredentials } from '@slipway/scheduler/hosts/agent';
import { z } from 'zod';

const answerShape = z.object({
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  sessionToken: z.string(),
  expiration: z.iso.datetime().transform((text) => new Date(text)),
});

/** Milliseconds for one request. */
const timeout = 15_000;

/**
 * The credentials of a machine that an Auto Scaling group has made: asked for by its right to join, which is good for this host alone from
 * the first time on, and asked for again before they end.
 * @param endpoint where the server answers
 * @returns for the agent, with the secret of its host
 */
export function joinedCredentials(
  endpoint: string,
  token: string,
): (hostSecret: () => string) => Promise<AgentCredentials> {
  let current: Promise<AgentCredentials> | undefined;
  let good = 0;
  return (hostSecret) => {
    if (current !== undefined && Date.now() < good) return current;
    const asked = ask(endpoint, token, hostSecret());
    // Several callers at once share one request; one that fails is asked again by the next.
    good = Date.now() + timeout;
    current = asked.then(
      (credentials) => {
        // While three quarters of its time are left to come.
        good = Date.now() + ((credentials.expiration?.getTime() ?? 0) - Date.now()) * 0.75;
        return credentials;
      },
      (error: unknown) => {
        good = 0;
        throw error;
      },
    );
    return current;
  };
}

async function ask(endpoint: string, token: string, secret: string): Promise<AgentCredentials> {
  const response = await fetch(new URL('/slipway/machines/join', endpoint), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', [hostSecretHeader]: secret },
    body: JSON.stringify({ token }),
    signal: AbortSignal.timeout(timeout),
    // The right is for this server.
    redirect: 'error',
  });
  const text = await response.text();
  if (!response.ok)
    throw Object.assign(new Error(`the server does not let this machine join: ${messageOf(text)}`), {
      name: 'JoinRefused',
    });
  return answerShape.parse(JSON.parse(text));
}

function messageOf(text: string): string {
  try {
    return z.object({ message: z.string() }).parse(JSON.parse(text)).message;
  } catch {
    return text.slice(0, 200);
  }
}
