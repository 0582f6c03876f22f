export { dockerExec, type ExecEngine, type ExecProcess } from './engine.ts';
export { ExecSessions, type ExecSessionsPorts } from './sessions.ts';
