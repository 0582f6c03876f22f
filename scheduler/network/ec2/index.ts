/** The API of EC2, as far as networks go. */
export { createEc2, type Ec2Options, ec2Schemas } from './create-ec2.ts';
