export { anonymousName, AuditFiles, type AuditFilesOptions, knownName } from './audit-files.ts';
export { AuditFile, type AuditFileOptions } from './audit-file.ts';
export { Audited, type AuditFacts, type AuditLine, type AuditMoment, type AuditSink } from './audit-line.ts';
