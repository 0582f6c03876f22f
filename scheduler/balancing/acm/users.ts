import { balancerArn, type Balancing, certificateArn, classicArn, type Place } from '../records/index.ts';

/** ARNs of the load balancers whose listeners have a certificate. */
export function usersOf(place: Place, balancing: Balancing, id: string): readonly string[] {
  const arn = certificateArn(place, id);
  return [
    ...balancing
      .all('loadbalancer')
      .filter((balancer) => balancing.listenersOf(balancer.id).some(({ certificates }) => certificates.includes(arn)))
      .map((balancer) => balancerArn(place, balancer)),
    ...balancing
      .all('classic')
      .filter(({ listeners }) => listeners.some(({ certificate }) => certificate === arn))
      .map(({ name }) => classicArn(place, name)),
  ];
}

export const isUsed = (place: Place, balancing: Balancing, id: string): boolean =>
  usersOf(place, balancing, id).length > 0;
