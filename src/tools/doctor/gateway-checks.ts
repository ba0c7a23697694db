import { type Finding, failure, ok, warning } from './finding.ts';
import { serviceAt } from './service-at.ts';
import type { Surroundings } from './surroundings.ts';

const logRemedy =
  'Read the log: tillbox up shows it, up --detach writes it to logs/up.log under TILLBOX_HOME';

/** Whether the gateway answers, and the instances behind it are ready. */
export async function checkGateway(surroundings: Surroundings): Promise<Finding[]> {
  const { config, supervised, serving } = surroundings;
  const { url } = serving.gateway;
  const service = await serviceAt(url);
  if (service !== undefined && service !== 'gateway') {
    const detail = `Something answers at ${url}, but it is no gateway of tillbox.`;
    return [failure('gateway', detail, 'Correct TILLBOX_URL or GATEWAY_PORT, or end what answers there')];
  }
  if (service === undefined) {
    const detail = `No gateway answers at ${url}.`;
    if (supervised) return [failure('gateway', `${detail} tillbox up runs and starts it again.`, logRemedy)];
    if (config.url !== undefined) {
      return [failure('gateway', detail, 'Start it there, or correct TILLBOX_URL')];
    }
    return [warning('gateway', `${detail} Nothing runs.`, 'tillbox up')];
  }
  return [
    ok('gateway', `It answers at ${url}.`),
    ...(serving.instances_hidden
      ? [checkHidden(serving.gateway.ready)]
      : (['orders', 'payments'] as const).map((service) =>
          checkInstances(service, serving[service].instances),
        )),
  ];
}

/** What the gateway says of the services to who may not know more. */
function checkHidden(ready: boolean): Finding {
  const remedy = "Set TILLBOX_TOKEN to an operator's token, to be told which";
  return ready
    ? ok('services', 'The gateway finds an instance of each service ready; which, it tells operators alone.')
    : failure('services', 'The gateway finds no instance of one service, or of both, ready.', remedy);
}

function checkInstances(service: string, instances: Surroundings['serving']['orders']['instances']): Finding {
  const ready = instances.filter((instance) => instance.ready);
  const detail = `${ready.length} of ${instances.length} instances are ready.`;
  if (ready.length === 0) return failure(service, detail, logRemedy);
  return ready.length < instances.length ? warning(service, detail, logRemedy) : ok(service, detail);
}
