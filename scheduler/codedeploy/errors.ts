import { AwsError } from '@slipway/auth/contract';

/** A refusal under one of CodeDeploy's codes: `ApplicationDoesNotExist` is ApplicationDoesNotExistException. */
export const refuse = (code: string, message: string): AwsError => new AwsError(`${code}Exception`, message);

/** Something of CodeDeploy that this installation does not do. Refused, so that nobody believes it took effect. */
export const notDone = (what: string, instead: string): AwsError =>
  refuse('OperationNotSupported', `${what} is not supported by this installation. ${instead}`);

/** A refusal of the service's rules as one of the revision. */
export async function asRevision<T>(read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    throw refuse('InvalidRevision', `The AppSpec is not valid: ${error.message}`);
  }
}

export const noApplication = (name: string): AwsError =>
  refuse('ApplicationDoesNotExist', `No application found for name: ${name}`);

export const noGroup = (name: string): AwsError =>
  refuse('DeploymentGroupDoesNotExist', `No Deployment Group found for name: ${name}`);

export const noConfiguration = (name: string): AwsError =>
  refuse('DeploymentConfigDoesNotExist', `No Deployment Configuration found for name: ${name}`);

export const noDeployment = (id: string): AwsError =>
  refuse('DeploymentDoesNotExist', `The deployment ${id} could not be found`);
