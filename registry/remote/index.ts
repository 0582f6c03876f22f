export { createRemote, type Remote, type RemoteBlob, type RemoteManifest, type RemoteOptions } from './remote.ts';
export { RemoteError, type RemoteErrorCode } from './errors.ts';
