import type { Clock } from '@slipway/storage/clock';
import { calculateJwkThumbprint } from 'jose';
import { z } from 'zod';
import { identifierOf } from './names.ts';
import { AcmeProblem, AuthorityUnavailable, problemDocument } from './problem.ts';
import { type AcmeSession, parsed, type Signer } from './session.ts';
import type { ChallengeType } from './settings.ts';

const orderDocument = z.object({
  status: z.string(),
  authorizations: z.array(z.url()),
  finalize: z.url(),
  certificate: z.url().optional(),
  error: problemDocument.optional(),
});

const authorizationDocument = z.object({
  status: z.string(),
  identifier: z.object({ value: z.string() }),
  challenges: z.array(
    z.object({
      type: z.string(),
      url: z.url(),
      status: z.string(),
      token: z.string().optional(),
      error: problemDocument.optional(),
    }),
  ),
});

/** What proves control of one name. */
export interface Challenge {
  readonly name: string;
  readonly token: string;
  /** Token and account key (RFC 8555, section 8.1). */
  readonly keyAuthorization: string;
}

export interface OrderPorts {
  readonly session: AcmeSession;
  readonly account: Signer;
  readonly names: readonly string[];
  readonly challenge: ChallengeType;
  readonly profile: string | undefined;
  /** The certificate that this one follows, as renewal information names it (RFC 9773, section 5). */
  readonly replaces: string | undefined;
  /** The certificate request, DER. */
  readonly request: Uint8Array;
  /** Makes the challenges answerable at every server; resolves when they are. */
  readonly publish: (challenges: readonly Challenge[]) => Promise<void>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const patienceMs = 10 * 60_000;

/**
 * Orders a certificate (RFC 8555, section 7.4): proves every name, hands the request in, waits.
 * @returns the chain, PEM
 * @throws AcmeProblem when the authority refuses or a name is not proved, AuthorityUnavailable
 */
export async function placeOrder(ports: OrderPorts): Promise<string> {
  const { session, account } = ports;
  const { location, text } = await create(ports);
  if (location === undefined) throw new AuthorityUnavailable('the authority does not say where the order is');
  await prove(ports, parsed(orderDocument, text).authorizations);
  const ready = await settled(ports, location, orderDocument, ['pending']);
  refuseInvalid(ready);
  if (ready.status === 'ready')
    await session.post(ready.finalize, { csr: Buffer.from(ports.request).toString('base64url') }, account);
  const done = await settled(ports, location, orderDocument, ['pending', 'ready', 'processing']);
  refuseInvalid(done);
  if (done.certificate === undefined) throw new AuthorityUnavailable('the order is done, but there is no certificate');
  return (await session.read(done.certificate, account)).text;
}

/** An authority to which this replaces nothing (it forgot, another account had it, it is replaced already) gets an order that replaces nothing. */
async function create({ session, account, names, profile, replaces }: OrderPorts): ReturnType<AcmeSession['post']> {
  const { newOrder } = await session.directory();
  const order = { identifiers: names.map(identifierOf), ...(profile !== undefined && { profile }) };
  if (replaces === undefined) return session.post(newOrder, order, account);
  try {
    return await session.post(newOrder, { ...order, replaces }, account);
  } catch (error) {
    if (!(error instanceof AcmeProblem) || ['rateLimited', 'accountDoesNotExist'].includes(error.kind)) throw error;
    return session.post(newOrder, order, account);
  }
}

async function prove(ports: OrderPorts, urls: readonly string[]): Promise<void> {
  const { session, account } = ports;
  const thumbprint = await calculateJwkThumbprint(account.publicJwk);
  const pending: { readonly url: string; readonly answerAt: string; readonly challenge: Challenge }[] = [];
  for (const url of urls) {
    const found = parsed(authorizationDocument, (await session.read(url, account)).text);
    if (found.status === 'valid') continue;
    const name = found.identifier.value;
    const { token, url: answerAt } = found.challenges.find(({ type }) => type === ports.challenge) ?? {};
    if (token === undefined || answerAt === undefined) {
      const offered = found.challenges.map(({ type }) => type).join(', ');
      const detail = `${name}: the authority takes ${offered || 'no proof'}, not ${ports.challenge}`;
      throw new AcmeProblem({ type: 'unsupportedChallenge', detail }, 0);
    }
    pending.push({ url, answerAt, challenge: { name, token, keyAuthorization: `${token}.${thumbprint}` } });
  }
  if (pending.length === 0) return;
  await ports.publish(pending.map(({ challenge }) => challenge));
  for (const { answerAt } of pending) await session.post(answerAt, {}, account);
  for (const { url, challenge } of pending) {
    const { status, challenges } = await settled(ports, url, authorizationDocument, ['pending']);
    if (status === 'valid') continue;
    const { type = status, detail = `the authorization is ${status}` } =
      challenges.find(({ error }) => error !== undefined)?.error ?? {};
    throw new AcmeProblem({ type, detail: `${challenge.name}: ${detail}` }, 0);
  }
}

function refuseInvalid({ status, error }: z.output<typeof orderDocument>): void {
  if (status === 'invalid')
    throw new AcmeProblem(error ?? { type: 'invalid', detail: 'the authority gave the order up' }, 0);
}

/** Asks until the status is another one, as often as the authority wants. */
async function settled<T extends z.ZodType<{ status: string }>>(
  { session, account, clock, signal }: OrderPorts,
  url: string,
  shape: T,
  pending: readonly string[],
): Promise<z.output<T>> {
  const until = clock.monotonic() + patienceMs;
  for (let wait = 250; ; wait = Math.min(wait * 2, 10_000)) {
    const { text, retryAfterMs } = await session.read(url, account);
    const found = parsed(shape, text);
    if (!pending.includes(found.status)) return found;
    if (clock.monotonic() > until)
      throw new AuthorityUnavailable(`${url} is still ${found.status} after ${patienceMs / 60_000} minutes`);
    await clock.sleep(Math.min(Math.max(retryAfterMs ?? wait, 100), 60_000), signal);
  }
}
