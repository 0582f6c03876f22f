export type { Census } from './census.ts';
export type { ClusterFeed } from './cluster-feed.ts';
export { ClusterView, placedTask } from './cluster-view.ts';
export { ClusterViews, type HeldView, type ViewPorts } from './cluster-views.ts';
