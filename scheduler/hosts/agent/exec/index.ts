export { dockerExec, type ExecEngine } from './engine.ts';
export { ExecSessions } from './sessions.ts';
