export { findS3Server, implementations, s3Missing, S3Server } from './s3-servers.ts';
