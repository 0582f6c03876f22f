import { type AccessRequest, AwsError, type Call, type ServiceDefinition } from '@slipway/auth/contract';
import { codecFor, InputError, modelOf, type OperationModel } from '@slipway/auth/protocol';

export const account = '000000000000';
export const region = 'us-east-1';

/** What an answer of an API holds; tests know what they asked for. */
// eslint-disable-next-line typescript/no-explicit-any
export type Answer = any;

/** How a client of a service speaks. */
export interface Spoken {
  /** A call's input, as the codec takes it. */
  readonly write: (
    name: string,
    shapes: OperationModel,
    input: object,
  ) => Parameters<ReturnType<typeof codecFor>['decode']>[1];
  /** What a client reads of an answer that was sent as this body. */
  readonly read: (answer: Answer, body: unknown) => Answer;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Calls operations of a service as the gateway does: the input over the wire, access, then the handler. */
export function callerOf(
  service: ServiceDefinition,
  schemas: Readonly<Record<string, unknown>>,
  { write, read, now }: Spoken,
) {
  const [protocol] = service.protocols;
  if (protocol === undefined) throw new Error('the service has no protocol');
  const codec = codecFor(protocol);
  const model = modelOf(schemas);
  const operationOf = (name: string) => {
    const found = service.operations[name] as unknown as {
      access: (input: object, call: Call) => Promise<readonly AccessRequest[]>;
      handle: (input: object, call: Call) => Promise<Answer>;
    };
    const shapes = model.operations.get(name);
    if (found === undefined || shapes === undefined) throw new Error(`there is no operation ${name}`);
    return { ...found, shapes };
  };
  const callOf = (as: string): Call =>
    ({
      requestId: 'session',
      principal: { type: 'user', account: as, arn: `arn:aws:iam::${as}:user/tester`, id: 'AIDATESTER' },
      account: as,
      region,
      endpoint: 'http://127.0.0.1:7500',
      time: new Date(now()),
      signal: new AbortController().signal,
    }) as Call;
  const decode = (name: string, input: object): object => {
    const { shapes } = operationOf(name);
    try {
      return codec.decode(shapes, write(name, shapes, input), service.constraints ?? {});
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const { code, message } = codec.inputError(error, model);
      throw new AwsError(code, message);
    }
  };
  const call = async (name: string, input: object = {}, as = account): Promise<Answer> => {
    const decoded = decode(name, input);
    const { access, handle, shapes } = operationOf(name);
    await access(decoded, callOf(as));
    const answer = (await handle(decoded, callOf(as))) as unknown;
    return read(answer, codec.encode(shapes, answer, 'request').body);
  };
  return {
    call,
    /** What a call needs to be allowed. */
    access: (name: string, input: object = {}): Promise<readonly AccessRequest[]> =>
      operationOf(name).access(decode(name, input), callOf(account)),
    /** The code and message of the error that a call ends in. */
    refusal: (name: string, input?: object, as?: string): Promise<string> =>
      call(name, input, as).then(
        (answer) => Promise.reject(new Error(`${name} was not refused: ${JSON.stringify(answer)}`)),
        (error: unknown) => {
          if (error instanceof AwsError) return `${error.code}: ${error.message}`;
          throw error;
        },
      ),
  };
}
