export { deniedMessage } from './authorize.ts';
export {
  certificateFiles,
  type CertificateFiles,
  type CertificateSource,
  gaugeCertificate,
  type KeyPair,
} from './certificates.ts';
export { GatewayConfigError, ListenError } from './errors.ts';
export { createGateway, type Gateway, type GatewayRoute } from './gateway.ts';
export { type Listening, type ListenOptions } from './listener.ts';
export { defaultLimits, type GatewayOptions, type Limits } from './options.ts';
