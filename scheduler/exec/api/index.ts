/** What the API of Systems Manager has of sessions of ECS Exec. */
export { createSessions, sessionOperations } from './sessions-api.ts';
