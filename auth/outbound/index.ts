export { AddressRule } from './addresses.ts';
export { createOutbound, type Outbound, type OutboundOptions, type OutboundRequest } from './client.ts';
export { OutboundError } from './errors.ts';
