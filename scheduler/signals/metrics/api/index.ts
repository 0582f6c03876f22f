/** The API of CloudWatch. */
export { cloudWatchSchemas, createCloudWatch, type CloudWatchOptions } from './create-cloudwatch.ts';
export * from './for-others.ts';
