/** Subscription filters: webhooks that are told what comes into log groups. */
export { createSubscriptionAdministration } from './administer.ts';
export { Deliveries, type DeliveriesPorts } from './deliveries.ts';
export { type DeliveryNumbers, noDeliveries } from './numbers.ts';
export { Owing } from './owing.ts';
export { type ReceiverTest, receiverTest } from './receiver-test.ts';
export { subscriptionSecret, type SubscriptionSecretPorts } from './secrets.ts';
export { type Subscription, Subscriptions } from './subscriptions.ts';
