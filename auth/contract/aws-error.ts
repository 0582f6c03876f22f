/**
 * An error that is the caller's to see, in the words of the service model (`ClusterNotFoundException`, …).
 * The gateway encodes it in the caller's protocol. Anything else that is thrown becomes a ServerException without details.
 */
export class AwsError extends Error {
  override readonly name = 'AwsError';
  readonly code: string;
  /** HTTP status; default 400, as ECR and ECS answer. */
  readonly status: number;
  /** Further members of the modeled error, e.g. `resourceIds`. */
  readonly members: Readonly<Record<string, unknown>>;
  constructor(
    code: string,
    message: string,
    options: { status?: number; members?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? 400;
    this.members = options.members ?? {};
  }
}
