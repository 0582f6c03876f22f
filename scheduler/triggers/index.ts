export { imagePushed, type ImagePushed, imagePushedData, registryTopic } from './image-pushed.ts';
export { createTriggers, type Triggers, type TriggersOptions } from './triggers.ts';
export type { FollowedImages, KnownTag } from './wanted.ts';
