import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { AwsError } from './aws.ts';
import { changes } from './changes.ts';

/** Something that is asked for again and again while it is looked at. */
export interface Live<T> {
  /** What was last answered; stays while a later answer fails. */
  readonly data: T | undefined;
  readonly error: AwsError | undefined;
  /** When `data` was answered, milliseconds since the epoch. */
  readonly at: number;
  readonly again: () => void;
}

/** So often is asked what changes are told of: not all that pages show is part of a cluster, and a new cluster is told of by none. */
const whileTold = 15_000;
/** After what is told, more is waited for, so that one change that is many records is one question. Milliseconds. */
const gathering = 300;

/**
 * Asks now, and again `every` milliseconds after each answer, less often where answers take long or fail; not while the page is hidden.
 * @param key what it is about: when it changes, everything begins anew
 * @param clustersOf which clusters an answer is about: while their changes are told, it is asked for when there are some
 */
export function useLive<T>(
  key: string,
  ask: (signal: AbortSignal) => Promise<T>,
  every = 5000,
  clustersOf?: (data: T) => readonly string[],
): Live<T> {
  const [state, setState] = useState<{ key: string; data?: T; error?: AwsError; at: number }>({ key, at: 0 });
  const asking = useRef(ask);
  asking.current = ask;
  const about = useRef(clustersOf);
  about.current = clustersOf;
  const wake = useRef<() => void>(() => undefined);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let running = false;
    let once = false;
    let failures = 0;
    /** Since the last question: something changed. */
    let stale = false;
    /** Milliseconds of rest after the last answer: a page over a large installation asks for a fifth of the time at most. */
    let rest = 0;
    let ended = 0;
    let clusters: readonly string[] = [];
    let deaf: (() => void) | undefined;
    const changed = (): void => {
      stale = true;
      if (running) return;
      clearTimeout(timer);
      timer = setTimeout(looked, Math.max(gathering, ended + rest - performance.now()));
    };
    const listen = (names: readonly string[]): void => {
      if (names.join(' ') === clusters.join(' ')) return;
      deaf?.();
      clusters = names;
      deaf = names.length === 0 ? undefined : changes.listen(names, changed);
    };
    const turn = async (): Promise<void> => {
      if (running) {
        once = true;
        return;
      }
      clearTimeout(timer);
      running = true;
      stale = false;
      const began = performance.now();
      try {
        const data = await asking.current(signal);
        failures = 0;
        if (!signal.aborted) {
          setState({ key, data, at: Date.now() });
          listen(about.current?.(data) ?? []);
        }
      } catch (error) {
        failures++;
        if (!signal.aborted) {
          const said = error instanceof AwsError ? error : new AwsError('', 'Error', (error as Error).message, '');
          setState((before) => ({ ...(before.key === key ? before : { key, at: 0 }), error: said }));
        }
      }
      running = false;
      if (signal.aborted) return;
      ended = performance.now();
      rest = (ended - began) * 4;
      const usual = stale ? gathering : changes.tells(clusters) ? Math.max(every, whileTold) : every;
      const wait = once ? 0 : Math.max(usual, rest) * Math.min(8, 2 ** failures);
      once = false;
      timer = setTimeout(looked, wait);
    };
    const start = (): void => {
      turn().catch(() => undefined);
    };
    const looked = (): void => {
      if (!document.hidden) start();
    };
    wake.current = start;
    document.addEventListener('visibilitychange', looked);
    start();
    return () => {
      controller.abort();
      clearTimeout(timer);
      deaf?.();
      document.removeEventListener('visibilitychange', looked);
    };
  }, [key, every]);
  const again = useCallback(() => wake.current(), []);
  const current = state.key === key ? state : { data: undefined, error: undefined, at: 0 };
  return { data: current.data, error: current.error, at: current.at, again };
}

const answers = new Map<string, { readonly until: number; readonly answer: Promise<boolean> }>();

/**
 * Whether something would be allowed, asked once a minute: what is not allowed has no button. Without an answer it is asked again.
 * @param key undefined: not yet known what to ask about
 */
export function useMay(key: string | undefined, ask: () => Promise<boolean>): boolean {
  const [allowed, setAllowed] = useState(false);
  const asking = useRef(ask);
  asking.current = ask;
  useEffect(() => {
    if (key === undefined) return undefined;
    let gone = false;
    let failures = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = (): void => {
      const known = answers.get(key);
      const answer = known !== undefined && known.until > Date.now() ? known.answer : asking.current();
      if (answer !== known?.answer) {
        if (answers.size > 500) answers.clear();
        answers.set(key, { until: Date.now() + 60_000, answer });
      }
      answer
        .then((may) => gone || setAllowed(may))
        .catch(() => {
          if (answers.get(key)?.answer === answer) answers.delete(key);
          if (!gone) timer = setTimeout(look, Math.min(60_000, 5000 * 2 ** failures++));
        });
    };
    look();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [key]);
  return key !== undefined && allowed;
}

/** Forgets what was allowed: somebody else may be signed in. */
export const forgetAnswers = (): void => answers.clear();
