export { type ConformanceOptions, groupNames, runConformance } from './run.ts';
export { type CaseReport, type ConformanceReport, toJunit, totalOf } from './report.ts';
export { type Api, apis, type Status } from './results.ts';
export { type Credentials } from './login.ts';
