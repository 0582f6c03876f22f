export { anonymousName, AuditFiles, type AuditFilesOptions, knownName } from './audit-files.ts';
export { AuditFile, type AuditFileOptions } from './audit-file.ts';
export { type AuditLine, type AuditSink } from './audit-line.ts';
