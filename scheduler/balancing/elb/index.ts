/** The classic API of Elastic Load Balancing, version 2012-06-01. */
export { createElb, type ElbOptions, elbSchemas } from './create-elb.ts';
