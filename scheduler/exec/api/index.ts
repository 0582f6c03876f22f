/** What the API of Systems Manager has of sessions of ECS Exec. */
export { createSessions, sessionOperations, sessionSchemas } from './sessions-api.ts';
