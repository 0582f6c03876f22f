export { audit, type AuditOptions, type AuditReport, type Finding, type Reference } from './audit.ts';
export {
  type Installation,
  transfer,
  TransferFailed,
  type TransferOptions,
  type TransferProgress,
  type TransferReport,
  transferRows,
} from './transfer.ts';
