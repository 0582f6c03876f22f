export { type ArchiveEngine, dockerArchives } from './archives.ts';
export { type DialCopy, signedCopyDial } from './copy-dial.ts';
export { dockerExec, type ExecEngine } from './engine.ts';
export { ExecSessions, type WantedSession } from './sessions.ts';
