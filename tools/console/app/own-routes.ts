import { type CallOptions, request, wouldBeAllowed } from './aws.ts';

/** A route of the server's own, as the command line has them: which, and what it is called where it is refused. */
export interface OwnRoute {
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Escaped, and below `/slipway/`. */
  readonly path: string;
}

/** Asks a route of the server's own, with the rights of this session. @throws AwsError */
export const own = (route: OwnRoute, options: CallOptions = {}): Promise<unknown> =>
  request(route.name, `/console/api${route.path}`, { method: route.method }, options);

/** Whether a route would be allowed. @throws AwsError when that is not known */
export const mayOwn = (route: OwnRoute): Promise<boolean> => wouldBeAllowed(own(route, { onlyAsk: true }));

/** Where the server tells why a request was refused. */
export const denialRoute = (id: string): OwnRoute => ({
  name: 'the explanation',
  method: 'GET',
  path: `/slipway/denials/${encodeURIComponent(id)}`,
});
