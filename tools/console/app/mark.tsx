import type { JSX } from 'preact';

/** The project's mark: a hull on its slip. */
export const Mark = (): JSX.Element => (
  <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="7" />
    <path class="hull" d="M5 20h22l-3.2 5.2a2 2 0 0 1-1.7.9H9.9a2 2 0 0 1-1.7-.9Z" />
    <path class="sail" d="M15 6v11H7.5ZM17 9v8h6Z" />
  </svg>
);
