export { AddressRule } from './addresses.ts';
export {
  createOutbound,
  type Outbound,
  type OutboundOptions,
  type OutboundRequest,
  type OutboundStream,
} from './client.ts';
export { OutboundError } from './errors.ts';
export { tellWebhook, webhookOf, type WebhookPorts } from './webhook.ts';
