import type { Constraints } from '../contract/index.ts';
import type { ErrorModel, OperationModel, ServiceModel } from './model.ts';
import type { InputError, Problem } from './problems.ts';
import type { QueryRequest } from './query.ts';
import type { RestRequest } from './rest.ts';

/** An answer as it goes on the wire. */
export interface WireAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whole, or an event stream's frames as they come. */
  readonly body: Buffer | AsyncIterable<Buffer>;
}

/** What a codec reads: the body, the form of the Query protocols, or the parts that paths-and-methods protocols put members in. */
export type WireRequest = Buffer | QueryRequest | RestRequest;

/** An error in protocol-neutral words; the codec gives it the service's own code, status and shape. */
export interface WireError {
  /** The modeled name or the Query code, e.g. `ClusterNotFoundException`, `NoSuchEntity`. */
  readonly code: string;
  readonly message: string;
  /** Used when the model does not say; default 400. */
  readonly status?: number;
  /** Further members of a modeled error. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** Reads requests and writes answers of one AWS wire protocol, for any service that speaks it. */
export interface Codec {
  /**
   * The operation's input. `request` is the parsed form for the Query protocols, a {@link RestRequest} for restJson1, else the body.
   * @throws InputError
   */
  decode(operation: OperationModel, request: WireRequest, constraints: Constraints): Record<string, unknown>;
  encode(operation: OperationModel, output: unknown, requestId: string): WireAnswer;
  error(error: WireError, model: ServiceModel | undefined, requestId: string): WireAnswer;
  /** Words an unreadable or forbidden input as this protocol's services do. */
  inputError(error: InputError, model: ServiceModel): WireError;
}

/** A status that was chosen wins over the model's; 400 is what nobody chose. */
export const statusOf = (error: WireError, modeled: number | undefined): number =>
  error.status !== undefined && error.status !== 400 ? error.status : (modeled ?? error.status ?? 400);

/** What clients of a service that has spoken Query know an error by, where that is another name (Smithy, "awsQueryCompatible"). */
export const queryErrorHeader = (
  modeled: ErrorModel | undefined,
): { readonly headers?: Readonly<Record<string, string>> } =>
  modeled === undefined || modeled.queryCode === modeled.name
    ? {}
    : {
        headers: { 'x-amzn-query-error': `${modeled.queryCode};${modeled.status < 500 ? 'Sender' : 'Receiver'}` },
      };

export const sentence = (problem: Problem): string =>
  problem.path === '' ? capital(problem.rule) : `${capital(problem.rule)} (at ${problem.path})`;

/** `2 validation errors detected: Value null at 'roleName' failed to satisfy constraint: Member must not be null; …` */
export function validationMessage(problems: readonly Problem[], shown: (path: string) => string): string {
  const parts = problems.map(({ path, rule, value }) => {
    const what = rule === 'Member must not be null' ? 'Value null' : value === undefined ? 'Value' : `Value '${value}'`;
    return `${what} at '${shown(path)}' failed to satisfy constraint: ${rule}`;
  });
  return `${parts.length} validation error${parts.length === 1 ? '' : 's'} detected: ${parts.join('; ')}`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
export const lowerFirst = (path: string): string => path.charAt(0).toLowerCase() + path.slice(1);
