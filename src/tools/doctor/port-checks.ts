import { hostInUrl } from '../../platform/hosts.ts';
import { reservePort } from '../../system/ports.ts';
import { type Finding, failure, ok } from './finding.ts';
import { serviceAt } from './service-at.ts';
import type { Surroundings } from './surroundings.ts';

const serviceHost = '127.0.0.1';

/** The ports a start would take: free, or in the hands of tillbox. */
export async function checkPorts({ config, runtime, supervised }: Surroundings): Promise<Finding[]> {
  if (supervised && runtime !== undefined) {
    const urls = [runtime.gateway, ...runtime.orders, ...runtime.payments].map(
      ({ url }) => new URL(url).port,
    );
    return [ok('ports', `The system that runs has ${urls.join(', ')}.`)];
  }
  return Promise.all([
    checkPort('gateway', config.gatewayHost, config.gatewayPort),
    checkPort('orders', serviceHost, config.ordersPort),
    checkPort('payments', serviceHost, config.paymentsPort),
  ]);
}

async function checkPort(service: string, host: string, port: number): Promise<Finding> {
  const variable = `${service.toUpperCase()}_PORT`;
  const check = `${service} port`;
  if (port === 0) return ok(check, 'Any free one is taken at the start.');
  try {
    await reservePort(host, port, variable);
    return ok(check, `${port} of ${host} is free.`);
  } catch (error) {
    if ((await serviceAt(`http://${hostInUrl(host)}:${port}`)) === service) {
      return ok(check, `${port} of ${host} is in the hands of a tillbox ${service}.`);
    }
    const [detail = '', remedy = ''] = (error as Error).message.split(/(?<=\.) (?=Set )/);
    return failure(check, detail, remedy.replace(/\.$/, ''));
  }
}
