import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** So many rows are simply there: a page of them is no work for a browser, and can be searched by it. */
const mostWhole = 100;
/** Rows beyond each end of what is in sight, and how many come or go at once, so that few movements of the page are work. */
const [beyond, step] = [20, 10] as const;
/** What a row is taken for until one was measured. Pixels. */
const usualHeight = 42;

/** Which rows of a list are on the page, and how much room those before and behind them take. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

/**
 * The rows that are to be on the page.
 * @param top where the first row would begin, in pixels below the top of what is in sight; negative above it
 * @param sight height of what is in sight, pixels
 */
export function windowOf(count: number, top: number, sight: number, rowHeight: number): Window {
  if (count <= mostWhole) return { from: 0, to: count };
  const first = Math.floor(-top / rowHeight) - beyond;
  const last = Math.ceil((sight - top) / rowHeight) + beyond;
  const from = Math.max(0, Math.floor(first / step) * step);
  const to = Math.min(count, Math.ceil(last / step) * step);
  // Where the list is far out of sight, some of it is there all the same: it has to be measured.
  const least = 2 * beyond;
  if (to - from >= least) return { from, to };
  const start = Math.max(0, Math.min(from, count - least));
  return { from: start, to: Math.min(count, start + least) };
}

/** Follows what is in sight of a list of `count` rows. */
export function useWindow(count: number): Window & {
  readonly body: RefObject<HTMLTableSectionElement | null>;
  readonly above: number;
  readonly below: number;
} {
  const body = useRef<HTMLTableSectionElement>(null);
  const height = useRef(usualHeight);
  const [seen, setSeen] = useState<Window>(() => windowOf(count, 0, globalThis.innerHeight, usualHeight));
  const isWhole = count <= mostWhole;
  const shown = isWhole ? { from: 0, to: count } : { from: Math.min(seen.from, count), to: Math.min(seen.to, count) };
  const look = useRef<() => void>(() => undefined);
  look.current = () => {
    const element = body.current;
    if (element === null || isWhole) return;
    const rows = element.querySelectorAll<HTMLElement>(':scope > tr:not(.space)');
    const [first, last] = [rows[0], rows[rows.length - 1]];
    if (first !== undefined && last !== undefined) {
      const measured = (last.getBoundingClientRect().bottom - first.getBoundingClientRect().top) / rows.length;
      if (measured > 1) height.current = measured;
    }
    const next = windowOf(count, element.getBoundingClientRect().top, globalThis.innerHeight, height.current);
    setSeen((before) => (before.from === next.from && before.to === next.to ? before : next));
  };
  useLayoutEffect(() => look.current(), [count]);
  useEffect(() => {
    if (isWhole) return undefined;
    let frame = 0;
    const moved = (): void => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => look.current());
    };
    // A list may be within something that scrolls, too; such movements do not bubble.
    const options = { passive: true, capture: true } as const;
    addEventListener('scroll', moved, options);
    addEventListener('resize', moved, options);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener('scroll', moved, options);
      removeEventListener('resize', moved, options);
    };
  }, [isWhole]);
  return {
    ...shown,
    body,
    above: shown.from * height.current,
    below: (count - shown.to) * height.current,
  };
}
