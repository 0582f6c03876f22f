export { type ArchiveEngine, dockerArchives } from './archives.ts';
export { dockerExec, type ExecEngine } from './engine.ts';
export { ExecSessions, type WantedSession } from './sessions.ts';
