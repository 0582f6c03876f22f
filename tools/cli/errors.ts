import { stripVTControlCharacters } from 'node:util';
import type { Command } from 'commander';

/** An error that is told in one line, without a stack trace. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Without control characters but tabs and line ends: what others have written does nothing to a terminal. */
export const harmless = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- control characters are what it is about
  stripVTControlCharacters(text).replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd');

/** Prints one line on stderr and ends the process. Servers, images and files may have had a say in it. */
export function fail(message: string, exitCode = 1): never {
  process.stderr.write(`slipway: ${harmless(message)}\n`);
  process.exit(exitCode);
}

/** Runs the command that the process was called with; what it throws ends the process with one line. */
export async function run(program: Command): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    const { told, advice } = explained(error);
    fail(advice === undefined ? told : `${told}\n  ${advice}`, error instanceof CliError ? error.exitCode : 1);
  }
}

/** What the runtime and its DNS say when nobody answers. */
const unreachable = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT']);

/** Codes of errors that are about the keys, in the spelling of every protocol. */
const keys =
  /^(UnrecognizedClient|InvalidSignature|InvalidClientTokenId|SignatureDoesNotMatch|ExpiredToken|MissingAuthenticationToken|IncompleteSignature|AuthFailure)(Exception)?$/;

/** What happened, and what to do next where that is known of every command. */
export function explained(error: unknown): { readonly told: string; readonly advice?: string } {
  const { message, name, code, $metadata } = error as Error & {
    readonly code?: string;
    readonly $metadata?: { readonly requestId?: string };
  };
  const socket = codesOf(error).find((one) => unreachable.has(one));
  if (socket !== undefined)
    return {
      told: `no server answers${process.env['AWS_ENDPOINT_URL'] === undefined ? '' : ` at ${process.env['AWS_ENDPOINT_URL']}`} (${socket})`,
      advice: 'start it ("npm start"), or point AWS_ENDPOINT_URL at the one that runs; slipway doctor says more',
    };
  const kind = typeof code === 'string' ? code : name;
  // Our own errors say everything in their message; the runtime's need their name to be understood.
  const told = /^(Type|Range|Reference|Syntax)Error$/.test(name) ? `${name}: ${message}` : message;
  const advice = keys.test(kind)
    ? 'the AWS_* variables or the profile have other keys than this server: eval "$(slipway env)" takes those of its data folder'
    : /^AccessDenied(Exception)?$|^UnauthorizedOperation$/.test(kind) && $metadata?.requestId !== undefined
      ? `slipway explain --request ${$metadata.requestId} says which policies were looked at, to whoever may look into them`
      : kind === 'ClusterNotFoundException'
        ? 'aws ecs list-clusters shows the clusters; name a service of another one as <cluster>/<service>'
        : kind === 'ServiceNotFoundException'
          ? 'slipway ps shows what runs; aws ecs list-services shows all services of a cluster'
          : kind === 'RepositoryNotFoundException'
            ? 'slipway images shows the repositories'
            : undefined;
  return advice === undefined ? { told } : { told, advice };
}

/** The codes of an error and of what caused it. */
function codesOf(error: unknown): readonly string[] {
  const codes: string[] = [];
  for (
    let one = error as { code?: unknown; cause?: unknown; errors?: unknown } | undefined, depth = 0;
    one && depth < 5;
    depth++
  ) {
    if (typeof one.code === 'string') codes.push(one.code);
    if (Array.isArray(one.errors))
      codes.push(
        ...one.errors.flatMap((each: { code?: unknown }) => (typeof each.code === 'string' ? [each.code] : [])),
      );
    one = one.cause as typeof one;
  }
  return codes;
}
