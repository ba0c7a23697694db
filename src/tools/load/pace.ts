/**
 * When which order is due, in milliseconds since the start. Closed loop: each as soon as a client is free. Open
 * loop: at even distances, whatever the system does; an order that leaves late, because the system stands still,
 * is measured from when it was due (Gil Tene's "coordinated omission").
 */
export interface Pace {
  /** Orders a second; undefined for a closed loop. */
  ratePerSecond: number | undefined;
  /** How many orders at most. */
  orders: number | undefined;
  /** No order leaves later than this. */
  durationMs: number | undefined;
}

/** When the order with this index (from 0) is due; undefined for "now". */
export function plannedMs({ ratePerSecond }: Pace, index: number): number | undefined {
  return ratePerSecond === undefined ? undefined : (index * 1_000) / ratePerSecond;
}

/** How many orders there are; undefined when only time decides. */
export function plannedOrders({ ratePerSecond, orders, durationMs }: Pace): number | undefined {
  const inTime =
    ratePerSecond === undefined || durationMs === undefined
      ? undefined
      : Math.max(1, Math.floor((durationMs / 1_000) * ratePerSecond));
  if (orders === undefined || inTime === undefined) return orders ?? inTime;
  return Math.min(orders, inTime);
}
