import { balancerArn, classicArn, type Place } from './arns.ts';
import type { Balancing } from './balancing.ts';

/** ARNs of the load balancers whose listeners have the certificate of an ARN. */
export const certificateUsers = (place: Place, balancing: Balancing, arn: string): readonly string[] => [
  ...balancing
    .all('loadbalancer')
    .filter((balancer) => balancing.listenersOf(balancer.id).some(({ certificates }) => certificates.includes(arn)))
    .map((balancer) => balancerArn(place, balancer)),
  ...balancing
    .all('classic')
    .filter(({ listeners }) => listeners.some(({ certificate }) => certificate === arn))
    .map(({ name }) => classicArn(place, name)),
];
