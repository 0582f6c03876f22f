export { FailingWay, failures, type Failure, UnhandledRejections } from './failing-way.ts';
