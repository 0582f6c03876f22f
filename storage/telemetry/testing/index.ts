export { type ReceivedSpan, startReceiver, type TraceReceiver } from './receiver.ts';
