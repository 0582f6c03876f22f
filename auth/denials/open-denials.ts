import {
  type Call,
  type DenialSink,
  GatewayError,
  type Job,
  renderPlainError,
  type WebRoute,
  type WebService,
} from '../contract/index.ts';
import type { Identity } from '../identity/index.ts';
import { Denials, type DenialsPorts } from './denials.ts';
import type { DenialRecord } from './records.ts';

export interface DenialOptions extends DenialsPorts {
  readonly identity: Pick<Identity, 'explain' | 'resource'>;
}

/** A refusal as the route answers it: its time is one of ISO 8601. */
export type ShownDenial = Omit<DenialRecord, 'at'> & { readonly time: string };

/** Refusals of the last hour with their reasons: who keeps them, and who is shown them. */
export interface OpenDenials {
  readonly sink: DenialSink;
  readonly web: WebService;
  readonly jobs: readonly Job[];
  /** What was told is written. */
  close(): Promise<void>;
}

/** Whose policies may be looked into decides who is shown what they said. */
const action = 'iam:SimulatePrincipalPolicy';

/**
 * `GET /slipway/denials/<request id>`: why that request was refused, as it was then. Needs `iam:SimulatePrincipalPolicy` on the user or role
 * that was refused, as asking IAM's simulation about it does; refusals of other accounts are not there. Requests are signed for `iam`.
 */
export function openDenials(options: DenialOptions): OpenDenials {
  const denials = new Denials(options);
  const route: WebService['route'] = (method, path): WebRoute | undefined => {
    const [, id] = /^\/slipway\/denials\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(path) ?? [];
    if (method !== 'GET' || id === undefined) return undefined;
    let found: DenialRecord | undefined;
    return {
      name: 'GET denial',
      access: async (call: Call) => {
        found = await denials.find(call.account, id);
        // Without a right to all principals, nobody learns whether there is such a refusal.
        const resource = found === undefined ? { arn: '*' } : await options.identity.resource(found.principal, action);
        return [{ action, resources: [resource] }];
      },
      handle: async (ctx) => {
        if (found === undefined)
          throw new GatewayError(
            'not-found',
            "no refusal of the last hour has this id: it is in the answer's header x-amzn-requestid; of very many refusals not all are kept, the audit file has them",
          );
        ctx.set('Cache-Control', 'no-store');
        ctx.body = shown(found);
      },
    };
  };
  return {
    sink: denials,
    web: {
      name: 'denials',
      prefix: '/slipway/denials/',
      authentication: { sigv4: 'iam' },
      samples: [{ method: 'GET', path: '/slipway/denials/00000000-0000-0000-0000-000000000000' }],
      route,
      renderError: renderPlainError,
    },
    jobs: [
      {
        name: 'old-denials',
        every: 600_000,
        run: async () => {
          const removed = await denials.sweep();
          return removed === 0 ? undefined : { removed };
        },
      },
    ],
    close: () => denials.settled(),
  };
}

const shown = ({ at, ...record }: DenialRecord): ShownDenial => ({ ...record, time: new Date(at).toISOString() });
