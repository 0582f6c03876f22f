import type { ComponentChildren, JSX } from 'preact';
import type { AwsError } from './aws.ts';
import { duration, fullTime, lastOf, visible } from './format.ts';
import type { Health, Level } from './health.ts';
import { type Live, useMay } from './live.ts';
import { denialRoute, mayOwn } from './own-routes.ts';
import { link } from './route.ts';
import type { ServiceRow } from './types.ts';

type Children = { readonly children?: ComponentChildren };

/** A text that users control: shown as what it is, whatever is in it. */
export const Plain = ({ text }: { readonly text: string | undefined }): JSX.Element => <bdi>{visible(text ?? '')}</bdi>;

/** Different shapes, so that no status is told by colour alone. */
const shapes: Readonly<Record<Level, string>> = {
  good: 'M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1m3.3 3.9L7 9.2 4.7 6.9l-1 1L7 11.2l5.3-5.3z',
  busy: 'M8 2.5a5.5 5.5 0 1 0 5.5 5.5H12A4 4 0 1 1 8 4v2.2L11.5 3 8 0z',
  warn: 'M8 1.8 15 14H1zm-.8 4.4v4h1.6v-4zm0 5v1.5h1.6v-1.5z',
  bad: 'M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1m-2.6 3.4-1 1L7 8l-2.6 2.6 1 1L8 9l2.6 2.6 1-1L9 8l2.6-2.6-1-1L8 7z',
  idle: 'M3 7.2h10v1.6H3z',
};

export const Icon = ({ level }: { readonly level: Level }): JSX.Element => (
  <svg class={`icon ${level}`} viewBox="0 0 16 16" aria-hidden="true">
    <path d={shapes[level]} />
  </svg>
);

export const Status = ({ health: { level, word } }: { readonly health: Health }): JSX.Element => (
  <span class={`status ${level}`}>
    <Icon level={level} />
    {word}
  </span>
);

export function Panel(
  props: Children & { readonly title: string; readonly aside?: ComponentChildren; readonly flush?: boolean },
): JSX.Element {
  const id = `panel-${props.title.toLowerCase().replaceAll(/\W+/g, '-')}`;
  return (
    <section class="panel" aria-labelledby={id}>
      <header>
        <h2 id={id}>{props.title}</h2>
        {props.aside}
      </header>
      <div class={props.flush === true ? 'flush' : 'body'}>{props.children}</div>
    </section>
  );
}

/** Says that there is nothing, and what would make something appear. */
export const Empty = ({ title, children }: Children & { readonly title: string }): JSX.Element => (
  <div class="empty">
    <p class="strong">{title}</p>
    {children === undefined ? null : <p>{children}</p>}
  </div>
);

/** Why something is not shown: what the policies say about it where it is not allowed, else what went wrong. */
export const Refusal = ({ error }: { readonly error: AwsError }): JSX.Element => (
  <div class="refusal" role="status">
    <Icon level={error.isRefusal ? 'warn' : 'bad'} />
    <div>
      <p class="strong">
        {error.isRefusal
          ? `You are not allowed to call ${error.operation}`
          : error.code === 'NoAnswer'
            ? 'The server does not answer'
            : `${error.operation === '' ? 'The page' : error.operation} failed`}
      </p>
      <p>
        <Plain text={error.code === 'NoAnswer' ? 'This page asks again by itself.' : error.message} />
      </p>
      {error.requestId === '' ? null : (
        <p class="faint">
          Request <code>{error.requestId}</code> {error.isRefusal ? <Why id={error.requestId} /> : null}
        </p>
      )}
    </div>
  </div>
);

/** Leads to what each policy said of a refused request, for whoever may look into those policies. */
function Why({ id }: { readonly id: string }): JSX.Element | null {
  const may = useMay(`why ${id}`, () => mayOwn(denialRoute(id)));
  return may ? <a href={link('identity', 'why', id)}>Which policy refused it?</a> : null;
}

/** How long ago, with the exact time for whoever points at it. @param at seconds since the epoch */
export const Ago = ({ at }: { readonly at: number | undefined }): JSX.Element =>
  at === undefined ? (
    <span class="faint">—</span>
  ) : (
    <time dateTime={new Date(at * 1000).toISOString()} title={fullTime(at)}>
      {duration(Date.now() / 1000 - at)} ago
    </time>
  );

/** A part of a whole. @param part 0 to 1 */
export function Meter({ part, label }: { readonly part: number | undefined; readonly label: string }): JSX.Element {
  const percent = part === undefined ? 0 : Math.round(part * 100);
  return (
    <div class="meter">
      <span>{label}</span>
      <svg viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label={`${label}: ${percent} %`}>
        <rect class="track" width="100" height="6" rx="3" />
        <rect class={percent > 90 ? 'fill high' : 'fill'} width={percent} height="6" rx="3" />
      </svg>
      <span class="number">{part === undefined ? '—' : `${percent} %`}</span>
    </div>
  );
}

export function Button(
  props: Children & {
    readonly onClick?: () => void;
    readonly kind?: 'primary' | 'danger' | 'quiet';
    readonly type?: 'button' | 'submit';
    readonly disabled?: boolean;
    readonly label?: string;
    readonly pressed?: boolean;
  },
): JSX.Element {
  return (
    <button
      type={props.type ?? 'button'}
      class={`button ${props.kind ?? ''}`}
      disabled={props.disabled}
      onClick={props.onClick}
      aria-label={props.label}
      aria-pressed={props.pressed}
    >
      {props.children}
    </button>
  );
}

/** A service by its name, which leads to its page. */
export const ServiceLink = ({ service }: { readonly service: ServiceRow }): JSX.Element => (
  <a class="strong" href={link('services', lastOf(service.clusterArn), service.serviceName ?? '')}>
    <Plain text={service.serviceName} />
  </a>
);

export const Loading = ({ what }: { readonly what: string }): JSX.Element => (
  <p class="loading" role="status">
    Reading {what}…
  </p>
);

/** What is read live, as soon as it is there; before that and above it, why it is not, or not any more. */
export const Answered = <T,>(props: {
  readonly live: Live<T>;
  /** What is being read: `log lines`. */
  readonly what: string;
  readonly children: (data: T) => ComponentChildren;
}): JSX.Element => {
  const { data, error } = props.live;
  return (
    <>
      {error === undefined ? null : <Refusal error={error} />}
      {data !== undefined ? props.children(data) : error === undefined ? <Loading what={props.what} /> : null}
    </>
  );
};

/** The state of what is read live, at the top of a page. */
export const LiveMark = ({ live: { at, error } }: { readonly live: Live<unknown> }): JSX.Element => (
  <span class={`live ${error === undefined ? '' : 'stale'}`}>
    <span class="dot" aria-hidden="true" />
    {error === undefined
      ? 'Live'
      : at === 0
        ? 'No answer yet'
        : `Last answer ${duration((Date.now() - at) / 1000)} ago`}
  </span>
);
