export { createAlarmAdministration } from './administer.ts';
export { Delivery, type DeliveryPorts } from './deliver.ts';
export { alarmArn, type AlarmPlace } from './payload.ts';
export { alarmSecret, type SecretPorts } from './secrets.ts';
