export { findS3Server, implementations, S3Server } from './s3-servers.ts';
