export { anonymousName, AuditFiles, type AuditFilesOptions, knownName, pagesName } from './audit-files.ts';
export { AuditFile, type AuditFileOptions } from './audit-file.ts';
export { Audited, type AuditFacts, type AuditLine, type AuditMoment, type AuditSink, onlyAsked } from './audit-line.ts';
