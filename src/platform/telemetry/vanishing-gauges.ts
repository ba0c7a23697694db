import { AggregationTemporality, InstrumentType, type MetricReader } from '@opentelemetry/sdk-metrics';
import { oneAtATime } from '../one-at-a-time.ts';

/**
 * Lets a reader tell of gauges only what was observed since it read before, so that what can no longer be measured is
 * missing. By itself the SDK repeats the last value of such a series for as long as the process lives: it keeps gauges
 * as it keeps sums, which is what their temporality chooses and nothing else (the text of Prometheus and OTLP have none
 * for gauges). Where two readers ask, each gets what either observed: a series is missing at the one that asks less
 * often up to one interval of its own later. Answers the reader.
 */
export function withVanishingGauges<Reader extends MetricReader>(reader: Reader): Reader {
  const select = reader.selectAggregationTemporality.bind(reader);
  reader.selectAggregationTemporality = (type) =>
    type === InstrumentType.OBSERVABLE_GAUGE ? AggregationTemporality.DELTA : select(type);
  // Two that read at the same moment share it: else one would take what was observed for the other.
  reader.collect = oneAtATime(reader.collect.bind(reader));
  return reader;
}
