/** Secrets and their values, and the API of Secrets Manager. */
export { createSecretsManager, secretsSchemas } from './create-secrets-manager.ts';
export { randomLetters } from './letters.ts';
export { secretRows } from './records.ts';
export { Secrets, type VersionChoice } from './store.ts';
