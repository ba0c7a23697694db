/** Connections of one service to its own database; those to the broker come on top. */
export const serviceConnectionsMax = 4;

/** Of one service to the broker: for its workers, for publishing, for the supervision; and one that listens. */
export const workConnectionsMax = 2;
export const publishConnectionsMax = 1;
export const superviseConnectionsMax = 1;
export const brokerConnectionsMax = workConnectionsMax + 1 + publishConnectionsMax + superviseConnectionsMax;
