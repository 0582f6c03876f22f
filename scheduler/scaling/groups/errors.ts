import { AwsError } from '@slipway/auth/contract';

/** Errors in the words of EC2 Auto Scaling. */

export const validation = (message: string): AwsError => new AwsError('ValidationError', message);

export const noGroup = (name: string): AwsError =>
  validation(`AutoScalingGroup name not found - AutoScalingGroup '${name.slice(0, 255)}' not found`);

export const noMachine = (id: string): AwsError =>
  validation(`Instance Id not found - No managed instance found for instance ID: ${id.slice(0, 50)}`);

/** What is asked of this installation is nothing that it does. */
export const unsupported = (what: string, instead: string): AwsError =>
  validation(`${what} is not supported by this installation. ${instead}`);
