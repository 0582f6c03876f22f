/**
 * The header that tells a registry that what is pushed comes from another one: repositories are then made by the templates for
 * replication, and what arrives is not sent on from there. Whoever sends it needs `ecr:ReplicateImage`.
 */
export const replicatedFrom = 'slipway-replicated-from';

/** Who pushed what came by replication, as events name it. */
export const replicator = 'ecr.replication';
