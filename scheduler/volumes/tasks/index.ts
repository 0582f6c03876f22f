/** What tasks mount of file systems, and whether they may. */
export { createTaskVolumes } from './task-volumes.ts';
