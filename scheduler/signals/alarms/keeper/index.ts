export { AlarmKeeper, type KeeperPorts } from './keeper.ts';
export type { AskedPoints, PointReader } from './points.ts';
export { metricOf, StoredPoints } from './stored-points.ts';
