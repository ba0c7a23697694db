import { Gateway } from '../gateway/daemon.ts';
import { refuseOpenDoor } from '../platform/door-config.ts';
import { localSecret as readLocalSecret } from './local-identity.ts';
import type { Serving } from './serving.ts';
import { sharedCredential } from './shared-credential.ts';
import { readTlsFiles } from './tls-files.ts';

/** Starts the gateway. Throws `usage` when others could reach it and nobody would be asked who they are. */
export async function serveGateway({ config, log, meter, spans, hold }: Serving): Promise<void> {
  const { gatewayHost: host, gatewayPort: port, ordersUrls, paymentsUrls, door } = config;
  refuseOpenDoor(host, door);
  const credential = sharedCredential(config);
  const localSecret = door.secret === undefined ? readLocalSecret(config.home) : undefined;
  const tls = door.tls && readTlsFiles(door.tls);
  const upstreams = { ordersUrls, paymentsUrls };
  const gateway = new Gateway({
    host,
    port,
    ...upstreams,
    credential,
    door,
    localSecret,
    tls,
    meter,
    spans,
    log,
  });
  hold(gateway);
  await gateway.start();
}
