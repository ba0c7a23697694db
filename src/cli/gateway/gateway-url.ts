import { runningGateway } from '../../system/gateway-access.ts';

/** Whether the gateway at `url` is one of a system that runs here: then it is started again if it is away. */
export async function isSupervised(url: string, home: string): Promise<boolean> {
  const { isRunning } = await import('../../platform/process-identity.ts');
  const { ownerOfLock } = await import('../../system/process-lock.ts');
  return runningGateway(home)?.url === url && isRunning(ownerOfLock(home));
}
