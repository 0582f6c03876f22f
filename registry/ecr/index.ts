export { constraints } from './constraints.ts';
export { createEcr } from './ecr.ts';
export { invalidParameter, operation } from './errors.ts';
export { type Paged, pageSize, startOf, tokenFor } from './paging.ts';
export { ecrTags } from './settings.ts';
export { type EcrOptions, nameOf, type EcrPorts } from './ports.ts';
