import { BlockList, isIP } from 'node:net';
import type { Network } from './door-config.ts';

/**
 * Who is behind a proxy of this machine that names nobody one can read: all of them together. They are no clients of
 * this machine itself, for which there are no limits.
 */
const unreadable = 'unreadable';
/** Addresses of a chain of proxies that are looked at: more helps nobody. */
const hopsMax = 20;

/** Who is behind a connection, and whether it may come so. */
export interface ClientAddresses {
  /**
   * Whether a connection comes from a trusted proxy, or from this machine: from loopback, or from the very address it
   * came to, which no other machine has.
   */
  isTrusted(peer: string, local: string): boolean;
  /**
   * The address of the client: the last one on the way here that is not a proxy of ours. Where a proxy names none that
   * can be read, that proxy's, but for one of this machine a word that stands for all its clients.
   */
  clientOf(peer: string, forwardedFor: string | undefined): string;
}

/** Addresses as they are behind these proxies. `X-Forwarded-For` counts only from them, for anybody can write it. */
export function clientAddresses(proxies: readonly Network[]): ClientAddresses {
  const list = new BlockList();
  for (const { address, prefix, family } of proxies) list.addSubnet(address, prefix, family);
  const isProxy = (address: string) => {
    const version = isIP(address);
    return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6');
  };
  return {
    isTrusted: (peer, local) =>
      isProxy(plainAddress(peer)) || isOfThisMachine(plainAddress(peer)) || (peer !== '' && peer === local),
    clientOf: (peer, forwardedFor) => {
      let client = plainAddress(peer);
      if (forwardedFor === undefined || proxies.length === 0) return client;
      const hops = forwardedFor.split(',').slice(-hopsMax);
      while (isProxy(client)) {
        const hop = hops.pop();
        if (hop === undefined) return client;
        const before = addressIn(hop);
        const isNear = isOfThisMachine(client);
        if (isIP(before) === 0) return isNear ? unreadable : client;
        // Nobody comes from elsewhere with an address of this machine, for which there are no limits.
        if (isOfThisMachine(before) && !isNear) return client;
        client = before;
      }
      return client;
    },
  };
}

/** The address in a hop: some proxies write the port as well, and then an address of IPv6 in brackets. */
function addressIn(hop: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|(\d+\.\d+\.\d+\.\d+))(?::\d{1,5})?$/.exec(hop.trim()) ?? [];
  return plainAddress(bracketed ?? plain ?? hop.trim());
}

/** Whether the address is one of this machine itself. */
export function isOfThisMachine(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** An IPv4 address that came by way of IPv6 is that IPv4 address. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

/** What a limit counts an address under: of IPv6 the network, because whoever has one has 2^64 addresses. */
export function countedAddress(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail = ''] = address.split('::');
  const groups = head.split(':').filter((group) => group !== '');
  if (address.includes('::')) {
    const behind = tail.split(':').filter((group) => group !== '').length;
    while (groups.length + behind < 8) groups.push('0');
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}
