import { proofHeader, sessionHeaders, sessionIsOver } from './session.ts';

/** A value as JSON carries it: times are seconds since the epoch. */
export type Wire<T> = T extends Date
  ? number
  : T extends readonly (infer Element)[]
    ? Wire<Element>[]
    : T extends object
      ? { [Key in keyof T]: Wire<T[Key]> }
      : T;

type CommandOf<Client, Name extends string> = `${Name}Command` extends keyof Client
  ? Client[`${Name}Command`] extends { prototype: infer Command }
    ? Command
    : never
  : never;
type InputOf<Client, Name extends string> =
  CommandOf<Client, Name> extends { readonly input: infer Input } ? Wire<Input> : never;
type OutputOf<Client, Name extends string> =
  CommandOf<Client, Name> extends {
    resolveMiddleware: (...args: never[]) => (...args: never[]) => Promise<{ output: infer Output }>;
  }
    ? Wire<Omit<Output, '$metadata'>>
    : never;
type NameOf<Client> = keyof { [K in keyof Client as K extends `${infer Name}Command` ? Name : never]: true } & string;

/** What an operation was refused with: the service's code, its sentence, and the request's id for whoever looks into the audit file. */
export class AwsError extends Error {
  override readonly name = 'AwsError';
  readonly code: string;
  readonly requestId: string;
  readonly operation: string;
  constructor(operation: string, code: string, message: string, requestId: string) {
    super(message);
    this.code = code;
    this.operation = operation;
    this.requestId = requestId;
  }
  get isRefusal(): boolean {
    return this.code.startsWith('AccessDenied');
  }
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Only ask whether it would be allowed; nothing happens. */
  readonly onlyAsk?: boolean;
}

/** Who does not answer for this long is taken for gone; a page would look live for as long as it waits. Milliseconds. */
const patience = 30_000;

/** What is sent beside who asks. */
export interface Sent {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** What is answered with 503 is an answer, too: a server that says that it is not ready. */
  readonly unready?: true;
}

/** One request of this page's session. @param operation what it is called where it fails @throws AwsError */
export async function request(
  operation: string,
  path: string,
  { method, headers = {}, body: sent, unready }: Sent,
  { signal, onlyAsk = false }: CallOptions,
): Promise<unknown> {
  const session = sessionHeaders();
  let answer: Response;
  let body: { __type?: string; code?: string; message?: string } | undefined;
  try {
    answer = await fetch(path, {
      method,
      headers: { ...session, ...headers, ...(onlyAsk ? { 'x-slipway-only-ask': '1' } : {}) },
      ...(sent === undefined ? {} : { body: sent }),
      credentials: 'same-origin',
      cache: 'no-store',
      signal: AbortSignal.any([AbortSignal.timeout(patience), ...(signal === undefined ? [] : [signal])]),
    });
    body = parsed(await answer.text());
    // What breaks off is no answer: what is not in it would look as if it were not there.
    if (answer.ok && body === undefined) throw new TypeError('half an answer');
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new AwsError(operation, 'NoAnswer', 'The server does not answer.', '');
  }
  if (answer.ok || (unready === true && answer.status === 503 && body !== undefined)) return body;
  const code = body?.__type ?? ownCodes[body?.code ?? ''] ?? body?.code ?? String(answer.status);
  if (code === 'MissingAuthenticationTokenException') sessionIsOver(session[proofHeader]);
  throw new AwsError(
    operation,
    code,
    body?.message ?? `The server answers ${answer.status}.`,
    answer.headers.get('x-amzn-requestid') ?? '',
  );
}

/** What the server's own routes call what AWS has other names for. */
const ownCodes: Readonly<Record<string, string>> = {
  denied: 'AccessDeniedException',
  unauthenticated: 'MissingAuthenticationTokenException',
};

/** One call of an operation. @param target its service's target and a dot, or its version and a slash, and its name @throws AwsError */
export const send = (target: string, input: unknown, options: CallOptions): Promise<unknown> =>
  request(
    target.split(/[./]/).at(-1) ?? target,
    '/console/api',
    { method: 'POST', headers: { 'x-amz-target': target }, body: JSON.stringify(input) },
    options,
  );

/** @returns whether it would be allowed @throws AwsError when that is not known */
export const wouldBeAllowed = (asked: Promise<unknown>): Promise<boolean> =>
  asked.then(
    () => true,
    (error: unknown) => {
      if (error instanceof AwsError && error.isRefusal) return false;
      throw error;
    },
  );

/** What a body says; undefined where it is no JSON, or not all of it. Operations that answer nothing may have none. */
function parsed(text: string): { __type?: string; code?: string; message?: string } | undefined {
  try {
    return (text === '' ? {} : JSON.parse(text)) as { __type?: string; code?: string; message?: string };
  } catch {
    return undefined;
  }
}

/** The operations of one service, with the SDK's own types of them. */
export interface Service<Client> {
  <Name extends NameOf<Client>>(
    name: Name,
    input: InputOf<Client, Name>,
    options?: CallOptions,
  ): Promise<OutputOf<Client, Name>>;
  /** Whether the operation would be allowed with this input. @throws AwsError when that is not known */
  may<Name extends NameOf<Client>>(name: Name, input: InputOf<Client, Name>): Promise<boolean>;
}

/** @param prefix of `X-Amz-Target`: the service's target and a dot, or the version of its Query API and a slash */
function service<Client>(prefix: string): Service<Client> {
  const call = (name: string, input: unknown, options: CallOptions = {}): Promise<unknown> =>
    send(`${prefix}${name}`, input, options);
  return Object.assign(call, {
    may: (name: string, input: unknown): Promise<boolean> => wouldBeAllowed(call(name, input, { onlyAsk: true })),
  }) as unknown as Service<Client>;
}

export const ecs = service<typeof import('@aws-sdk/client-ecs')>('AmazonEC2ContainerServiceV20141113.');
export const ecr = service<typeof import('@aws-sdk/client-ecr')>('AmazonEC2ContainerRegistry_V20150921.');
export const logs = service<typeof import('@aws-sdk/client-cloudwatch-logs')>('Logs_20140328.');
export const iam = service<typeof import('@aws-sdk/client-iam')>('2010-05-08/');
export const cloudwatch = service<typeof import('@aws-sdk/client-cloudwatch')>('GraniteServiceVersion20100801.');

/** What is refused is left out: `other` stands for it. @throws whatever else goes wrong */
export async function unlessRefused<T>(
  work: Promise<T>,
  other: T,
  note: (refusal: AwsError) => void = () => undefined,
): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof AwsError) || !error.isRefusal) throw error;
    note(error);
    return other;
  }
}

/** Every item of an operation that answers in pages, at most `most`. */
export async function pages<Page extends { nextToken?: string | undefined }, Item>(
  ask: (nextToken: string | undefined) => Promise<Page>,
  items: (page: Page) => readonly Item[] | undefined,
  most = 2000,
): Promise<Item[]> {
  const all: Item[] = [];
  let token: string | undefined;
  do {
    const page = await ask(token);
    all.push(...(items(page) ?? []));
    token = page.nextToken;
  } while (token !== undefined && token !== '' && all.length < most);
  return all;
}

/** Asks about many things in groups of what one call takes, four calls at a time. */
export async function inGroups<Key, Item>(
  keys: readonly Key[],
  size: number,
  ask: (group: Key[]) => Promise<readonly Item[]>,
): Promise<Item[]> {
  const groups = Array.from({ length: Math.ceil(keys.length / size) }, (_, i) => keys.slice(i * size, (i + 1) * size));
  const answers: (readonly Item[])[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let mine = next++; mine < groups.length; mine = next++) answers[mine] = await ask(groups[mine] ?? []);
  };
  await Promise.all(Array.from({ length: Math.min(4, groups.length) }, worker));
  return answers.flat();
}
