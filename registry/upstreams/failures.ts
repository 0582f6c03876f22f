import { GatewayError, type Log } from '@slipway/auth/contract';
import { OutboundError } from '@slipway/auth/outbound';
import { ImagesError, type Meter } from '../images/index.ts';
import { RemoteError } from '../remote/index.ts';
import type { Source } from './transfers.ts';

/** Who asked for what, as far as log lines and answers say it. */
export interface Asked {
  /** The repository here. */
  readonly name: string;
  /** Tag or digest. */
  readonly reference: string;
  readonly requestId: string;
  /** Whether the caller may read how upstreams are set up, and so what they answer. */
  readonly mayKnow: () => Promise<boolean>;
}

/** What went wrong with an upstream, rather than with us. */
export const isUpstreams = (error: unknown): error is RemoteError | ImagesError =>
  error instanceof RemoteError || error instanceof ImagesError;

/** Every failure of an upstream leaves a log line with the cause, and is counted by it. */
export function note(
  { log, meter }: { readonly log: Log; readonly meter: Meter },
  source: Source,
  { name, reference, requestId }: Omit<Asked, 'mayKnow'>,
  error: RemoteError | ImagesError,
  what: string,
): void {
  meter.upstreamFailed(source.host, error instanceof RemoteError ? error.code : 'unusable');
  const fields = { requestId, upstream: source.host, repository: name, reference, err: error };
  // That something is not there is everyday life; the rest somebody has to look at.
  if (error instanceof RemoteError && error.code === 'not-found') log.info(fields, what);
  else log.warn(fields, what);
}

/** The failure as the client of the pull sees it. The cause is for those only who may know how upstreams are set up. */
export async function refusalOf(error: RemoteError | ImagesError, asked: Asked): Promise<Error> {
  const { name } = asked;
  const what = `The upstream registry of ${name}`;
  if (error instanceof ImagesError) return error;
  const cause = (await asked.mayKnow()) ? `: ${causeOf(error)}` : '';
  switch (error.code) {
    case 'not-found':
      return new ImagesError('ManifestNotFound', `${what} does not have this image${cause}`, { reference: name });
    case 'denied':
      return new GatewayError(
        'denied',
        `${what} refuses the credentials of the pull-through cache rule, or the image is not there${cause}`,
      );
    case 'too-many-requests':
      return new GatewayError('throttled', `${what} does not take more requests now${cause}`, 60);
    case 'refused':
      return new GatewayError('denied', `${what} refuses to give it${cause}`);
    case 'corrupt':
    case 'unavailable':
      return new GatewayError('unavailable', `${what} cannot be reached, or does not answer as it should${cause}`, 10);
  }
}

const mostCauses = 4;

/** The messages of an error and of what led to it; of a call that could not be made also what our network said. */
function causeOf(error: unknown): string {
  const texts: string[] = [];
  for (let at = error; at instanceof Error && texts.length < mostCauses; at = at.cause)
    texts.push(at instanceof OutboundError ? at.detail : at.message);
  return texts
    .join(': ')
    .replaceAll(/[^\x20-\x7e]/g, ' ')
    .slice(0, 500);
}
