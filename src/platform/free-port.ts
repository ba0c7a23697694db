import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** Below are the ports of well-known programs. */
const lowestPort = 20_000;
const highestPort = 65_535;
/** As many as a process is likely to ask for at a time. */
const portsOfProcess = 32;

/** Ports, from the first to the last. */
interface PortRange {
  first: number;
  last: number;
}

/** How many ports this process has tried. */
let asked = 0;

/**
 * A port of a host that is free now and that nobody is given by chance before it is used, or used again: not an
 * outgoing connection, and no other process that asks here at the same moment.
 */
export async function freePort(host: string): Promise<number> {
  const candidates = portsToTry(process.pid, outgoingPorts());
  for (let tried = 0; tried < candidates.length; tried += 1) {
    const port = candidates[asked % candidates.length] as number;
    asked += 1;
    if (await canListen(host, port)) return port;
  }
  return listenForMoment(host, 0);
}

/**
 * The ports that a process may choose among, in its order. The kernel gives those of `outgoing` to connections: one
 * that has a port keeps a server from listening there, for as long as it lasts. Processes near each other in number
 * begin at different ports, so that two that start at once do not choose the same.
 */
export function portsToTry(pid: number, outgoing: PortRange): number[] {
  const below = { first: lowestPort, last: Math.min(outgoing.first - 1, highestPort) };
  const above = { first: Math.max(outgoing.last + 1, lowestPort), last: highestPort };
  const { first, last } = sizeOf(below) >= sizeOf(above) ? below : above;
  const size = sizeOf({ first, last });
  const start = pid * portsOfProcess;
  return Array.from({ length: size }, (_, index) => first + ((start + index) % size));
}

function sizeOf({ first, last }: PortRange): number {
  return Math.max(last - first + 1, 0);
}

/** The ports that the kernel gives to outgoing connections: as Linux says, else those set apart for it (RFC 6335). */
function outgoingPorts(): PortRange {
  try {
    const [first, last] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
      .split(/\s+/)
      .map(Number);
    if (first !== undefined && last !== undefined) return { first, last };
  } catch {
    // Not Linux.
  }
  return { first: 49_152, last: highestPort };
}

/** Whether a server could listen on a port now. */
export function canListen(host: string, port: number): Promise<boolean> {
  return listenForMoment(host, port).then(
    () => true,
    () => false,
  );
}

/** Listens on a port, or with 0 on any, and lets go of it; answers the port. Rejects with the system's error. */
export function listenForMoment(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ host, port, exclusive: true }, () => {
      const address = probe.address();
      const chosen = typeof address === 'object' && address ? address.port : port;
      probe.close(() => resolve(chosen));
    });
  });
}
