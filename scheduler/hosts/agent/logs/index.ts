export { dockerLogs, type EngineLogs } from './engine.ts';
export { LogSetupRefused, LogShipping } from './shipping.ts';
