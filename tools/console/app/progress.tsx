import type { JSX } from 'preact';

/** How far something is, as a bar with its numbers. */
export function Progress({ done, all }: { readonly done: number; readonly all: number }): JSX.Element {
  return (
    <div class="progress">
      <progress value={done} max={Math.max(1, all)} aria-label="Tasks of the new revision" />
      <span class="number">
        {done} / {all}
      </span>
    </div>
  );
}
