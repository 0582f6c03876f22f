export { imagePushed, type ImagePushed, imagePushedData, registryTopic } from './image-pushed.ts';
export type { RollerPorts } from './roller.ts';
export { createTriggers, type Triggers, type TriggersOptions } from './triggers.ts';
export type { FollowedImages, KnownTag } from './wanted.ts';
export { createWebhookAdministration } from './webhooks/administer.ts';
export { createWebhookReceiver } from './webhooks/receive.ts';
export { webhookRows } from './webhooks/keys.ts';
export type { WebhookPorts } from './webhooks/store.ts';
