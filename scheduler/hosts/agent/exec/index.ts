export { dockerExec, type ExecEngine } from './engine.ts';
export { ExecSessions, type WantedSession } from './sessions.ts';
