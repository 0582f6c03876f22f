import { type Balancing, certificateArn, certificateUsers, type Place } from '../records/index.ts';

/** ARNs of the load balancers whose listeners have a certificate. */
export const usersOf = (place: Place, balancing: Balancing, id: string): readonly string[] =>
  certificateUsers(place, balancing, certificateArn(place, id));

export const isUsed = (place: Place, balancing: Balancing, id: string): boolean =>
  usersOf(place, balancing, id).length > 0;
