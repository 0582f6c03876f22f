import { AwsError } from '@slipway/auth/contract';

import { QueryError } from '../queries/index.ts';
import { MetricsDamaged, MetricsThrottled, TooManySeries } from '../store/index.ts';

import { errorSchema } from './shapes.ts';

/** Errors in the words of CloudWatch (API reference), by their names in JSON and CBOR; callers of the Query protocol see the codes below. */

export const invalid = (message: string): AwsError => new AwsError('InvalidParameterValueException', message);
export const combination = (message: string): AwsError => new AwsError('InvalidParameterCombinationException', message);
export const missing = (message: string): AwsError => new AwsError('MissingRequiredParameterException', message);
export const notFound = (message: string): AwsError => new AwsError('ResourceNotFoundException', message);
export const badToken = (): AwsError => new AwsError('InvalidNextToken', 'The next token specified is invalid.');

/** What is asked of this installation is nothing that it does. */
export const unsupported = (what: string, instead: string): AwsError =>
  invalid(`${what} is not supported by this installation. ${instead}`);

/** Their names, and what the Query protocol calls them. */
const errors: readonly (readonly [name: string, queryCode: string, status?: number])[] = [
  ['InvalidParameterValueException', 'InvalidParameterValue'],
  ['InvalidParameterCombinationException', 'InvalidParameterCombination'],
  ['MissingRequiredParameterException', 'MissingParameter'],
  ['InvalidNextToken', 'InvalidNextToken'],
  ['InvalidFormatFault', 'InvalidFormat'],
  ['LimitExceededFault', 'LimitExceeded'],
  ['LimitExceededException', 'LimitExceededException'],
  ['InternalServiceFault', 'InternalServiceError', 500],
  // Its code in the Query protocol is another one's name: that one comes later, and wins.
  ['DashboardNotFoundError', 'ResourceNotFound', 404],
  ['ResourceNotFound', 'ResourceNotFound', 404],
  ['ResourceNotFoundException', 'ResourceNotFoundException', 404],
  ['ConflictException', 'ConflictException', 409],
  ['DashboardInvalidInputError', 'InvalidParameterInput'],
];

/** The schemas of the errors of this API. */
export const errorSchemas: Readonly<Record<string, unknown>> = Object.fromEntries(
  errors.map(([name, queryCode, status]) => [`${name}$`, errorSchema(name, { queryCode, status })]),
);

/** What the store says, as the API says it; anything else as it is. */
export function inOurWords(error: unknown): unknown {
  if (error instanceof QueryError) {
    // An expression is refused with the same code in every protocol.
    if (error.kind === 'expression') return new AwsError('ValidationError', error.message, { cause: error });
    return error.kind === 'missing' ? missing(error.message) : invalid(error.message);
  }
  if (error instanceof TooManySeries) return new AwsError('LimitExceededFault', error.message, { cause: error });
  if (error instanceof MetricsThrottled)
    return new AwsError('ThrottlingException', `Rate exceeded: ${error.message}`, { cause: error });
  if (error instanceof MetricsDamaged)
    return new AwsError(
      'InternalServiceFault',
      'Stored metrics cannot be read. Run `slipway storage audit` on a server.',
      { status: 500, cause: error },
    );
  return error;
}
