/** What tasks are given of secrets and parameters when they start. */
export { createTaskSecrets, type TaskSecretsOptions } from './task-secrets.ts';
