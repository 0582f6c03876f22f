import { AwsError } from '@slipway/auth/contract';

import { QueryError } from '../insights/index.ts';
import { DefinitionMissing, TooManyDefinitions, TooManyQueries } from '../queries/index.ts';
import { FilterMissing, TooManyFilters } from '../filters/index.ts';
import { PatternError } from '../patterns/index.ts';
import {
  LogGroupExists,
  LogGroupMissing,
  LogNameTooLong,
  LogsDamaged,
  LogStreamExists,
  LogStreamMissing,
  LogsThrottled,
} from '../store/index.ts';

/** Errors in the words of CloudWatch Logs (API reference, and what its clients are known to meet). */

export const invalid = (message: string): AwsError => new AwsError('InvalidParameterException', message);

export const groupMissing = (): AwsError =>
  new AwsError('ResourceNotFoundException', 'The specified log group does not exist.');

export const streamMissing = (): AwsError =>
  new AwsError('ResourceNotFoundException', 'The specified log stream does not exist.');

/** What is asked of this installation is nothing that it does. */
export const unsupported = (what: string, instead: string): AwsError =>
  invalid(`${what} is not supported by this installation. ${instead}`);

/** A query that cannot be read, with where it is wrong: offsets of characters, the first is 0. */
const malformed = ({ message, start, end }: QueryError): AwsError =>
  new AwsError('MalformedQueryException', message, {
    members: { queryCompileError: { location: { startCharOffset: start, endCharOffset: end }, message } },
  });

/** What the store and the patterns say, as the API says it; anything else as it is. */
export function inOurWords(error: unknown): unknown {
  if (error instanceof LogGroupMissing) return groupMissing();
  if (error instanceof LogStreamMissing) return streamMissing();
  if (error instanceof LogGroupExists)
    return new AwsError('ResourceAlreadyExistsException', 'The specified log group already exists');
  if (error instanceof LogStreamExists)
    return new AwsError('ResourceAlreadyExistsException', 'The specified log stream already exists');
  if (error instanceof QueryError) return malformed(error);
  if (error instanceof DefinitionMissing) return new AwsError('ResourceNotFoundException', error.message);
  if (error instanceof TooManyDefinitions || error instanceof TooManyQueries)
    return new AwsError('LimitExceededException', error.message);
  if (error instanceof FilterMissing) return new AwsError('ResourceNotFoundException', error.message);
  if (error instanceof TooManyFilters) return new AwsError('LimitExceededException', error.message);
  if (error instanceof LogNameTooLong) return invalid(error.message);
  if (error instanceof PatternError) return invalid(error.message);
  if (error instanceof LogsThrottled)
    return new AwsError('ThrottlingException', `Rate exceeded: ${error.message}`, { cause: error });
  if (error instanceof LogsDamaged)
    return new AwsError(
      'ServiceUnavailableException',
      'Stored logs cannot be read. Run `slipway storage audit` on a server.',
      {
        status: 500,
        cause: error,
      },
    );
  return error;
}
