import type { LifecycleHook } from './shifts.ts';

/** A hook for people, in the middle of a sentence. What is in the query of a webhook's address may be a secret, and is left out. */
export function hookName({ target }: Pick<LifecycleHook, 'target'>): string {
  switch (target.type) {
    case 'webhook': {
      const url = URL.parse(target.url);
      return url === null ? 'webhook' : `webhook ${url.origin}${url.pathname}`;
    }
    case 'task':
      return `command task ${target.taskDefinition}`;
    case 'pause':
      return 'pause';
  }
}
