/**
 * What a host says of itself, by its agent, that is of an Auto Scaling group: the group's name. Tasks of the group's capacity provider run
 * on such hosts alone.
 */
export const groupAttribute = 'slipway.auto-scaling-group';
