export { canonicalRequest, type HeaderValues, headerValues, type RawRequest, stringToSign } from './canonical.ts';
export { type Credentials, type FoundCredential } from './credentials.ts';
export { SignatureError, type SignatureProblem } from './errors.ts';
export { type Claim } from './parse.ts';
export { type ObjectBody, type ObjectPayload, readObject } from './payload.ts';
export {
  type Expected,
  type Opened,
  type OpenedObject,
  readSignature,
  type SignedRequest,
  SignatureVerifier,
  type VerifierOptions,
} from './verifier.ts';
