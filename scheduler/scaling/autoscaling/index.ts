/** The API of EC2 Auto Scaling. */
export { autoScalingSchemas, createAutoScaling } from './create-autoscaling.ts';
export { providerTag } from './request.ts';
