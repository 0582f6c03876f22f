/** What tasks are given of secrets and parameters when they start. */
export { restartOnSecrets } from './restarts.ts';
export { createTaskSecrets, type TaskSecretsOptions } from './task-secrets.ts';
