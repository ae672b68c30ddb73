/**
 * route: changes and queries the routing table of the stack, after NetBSD's route(8).
 */
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import type { ControlIn, RouteInfo } from '../runtime/messages/control.ts';
import { ERRNO, SystemError, strerror } from '../runtime/messages/errno.ts';
import { inetNtoa } from '../socket/inet.ts';
import { stackControl } from '../socket/libsocket.ts';
import { networkText, resolveHost } from './address-text.ts';
import { command } from './command.ts';
import type { Arguments } from './command.ts';
import { routingTables } from './route-text.ts';
import { ROUTE_MODIFIERS, readRoute } from './route-words.ts';
import type { RouteRequest } from './route-words.ts';

type Operation = (request: RouteRequest) => Promise<unknown>;

function toControl(request: RouteRequest): ControlIn<'RTM_ADD'> {
  const { destination, netmask, gateway, reject, blackhole } = request;
  return {
    destination: inetNtoa(destination),
    netmask: inetNtoa(netmask),
    ...(gateway !== undefined && { gateway: inetNtoa(gateway) }),
    ...(request.interface !== undefined && { interface: request.interface }),
    ...(reject && { reject }),
    ...(blackhole && { blackhole }),
  };
}

/** route(8) has its own words for some errors. */
function routeError(errno: number): string {
  if (errno === ERRNO.ESRCH) return 'not in table';
  if (errno === ERRNO.EBUSY) return 'entry in use';
  return errno === ERRNO.ENOBUFS ? 'not enough space' : strerror(errno);
}

/** Does it and says so: `add net default: gateway 10.0.0.254`, with the error behind when there is one. */
async function change(
  self: Process,
  verb: string,
  request: RouteRequest,
  quiet: boolean,
  operation: Operation,
): Promise<number> {
  const via = request.gatewayName === undefined ? '' : `: gateway ${request.gatewayName}`;
  const what = `${verb} ${request.isHost ? 'host' : 'net'} ${request.name}${via}`;
  try {
    await operation(request);
    if (!quiet) await self.stdout.write(`${what}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno === ERRNO.EINTR) throw error;
    await self.stderr.write(`route: writing to routing socket: ${strerror(error.errno)}\n`);
    if (!quiet) await self.stdout.write(`${what}: ${routeError(error.errno)}\n`);
    return 1;
  }
}

function needsWay(request: RouteRequest): RouteRequest {
  const { gateway, reject, blackhole } = request;
  if (gateway === undefined && request.interface === undefined && !reject && !blackhole) {
    throw new UsageError(`${request.name}: a gateway or -interface is missing`);
  }
  return request;
}

const FLAG_NAMES: Readonly<Record<string, string>> = {
  U: 'UP',
  G: 'GATEWAY',
  H: 'HOST',
  R: 'REJECT',
  C: 'CLONING',
  L: 'LLINFO',
  S: 'STATIC',
  B: 'BLACKHOLE',
};

/** What `route get` prints about the route to a host. */
export function routeText(host: string, route: RouteInfo): string {
  const network = networkText(route.destination, route.netmask);
  const lines: [string, string][] = [
    ['route to', host],
    ['destination', network === 'default' ? network : route.destination],
    ['mask', route.netmask],
  ];
  if (network === 'default') lines.pop();
  if (route.gateway !== undefined) lines.push(['gateway', route.gateway]);
  const flags = [...route.flags].map((letter) => FLAG_NAMES[letter] ?? letter);
  lines.push(['interface', route.interface], ['flags', `<${flags.join(',')}>`]);
  if (route.mtu > 0) lines.push(['mtu', String(route.mtu)]);
  return lines.map(([label, value]) => `${label.padStart(11)}: ${value}\n`).join('');
}

async function get(self: Process, words: readonly string[], quiet: boolean): Promise<number> {
  const [host, ...more] = words.filter((word) => word !== '-host' && word !== '-inet');
  if (host === undefined || more.length > 0) throw new UsageError('get needs one host');
  const destination = inetNtoa(host === 'default' ? 0 : await resolveHost(self, host));
  try {
    const route = await stackControl(self, 'RTM_GET', { destination });
    if (!quiet) await self.stdout.write(routeText(host === 'default' ? host : destination, route));
    return 0;
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno === ERRNO.EINTR) throw error;
    await self.stderr.write(`route: writing to routing socket: ${routeError(error.errno)}\n`);
    return 1;
  }
}

async function flush(self: Process, quiet: boolean): Promise<number> {
  const key = (route: RouteInfo): string => `${route.destination}/${route.netmask}/${route.interface}`;
  const before = await stackControl(self, 'RTM_LIST', {});
  await stackControl(self, 'RTM_FLUSH', {});
  const left = new Set((await stackControl(self, 'RTM_LIST', {})).map(key));
  if (quiet) return 0;
  for (const route of before.filter((candidate) => !left.has(key(candidate)))) {
    const network = networkText(route.destination, route.netmask).padEnd(20);
    await self.stdout.write(`${network} ${(route.gateway ?? route.interface).padEnd(20)} done\n`);
  }
  return 0;
}

async function replace(self: Process, request: RouteRequest): Promise<void> {
  const { destination, netmask } = toControl(request);
  await stackControl(self, 'RTM_DELETE', { destination, netmask });
  await stackControl(self, 'RTM_ADD', toControl(request));
}

async function remove(self: Process, request: RouteRequest): Promise<void> {
  const { destination, netmask } = toControl(request);
  await stackControl(self, 'RTM_DELETE', { destination, netmask });
}

const VERBS = ['add', 'delete', 'change', 'get', 'flush', 'show'];

async function run(self: Process, args: Arguments): Promise<number> {
  const [verb, ...words] = args.operands;
  const quiet = args.has('q');
  switch (verb) {
    case 'add': {
      const request = needsWay(await readRoute(self, words));
      return change(self, verb, request, quiet, (asked) => stackControl(self, 'RTM_ADD', toControl(asked)));
    }
    case 'change': {
      const request = needsWay(await readRoute(self, words));
      return change(self, verb, request, quiet, (asked) => replace(self, asked));
    }
    case 'delete':
      return change(self, verb, await readRoute(self, words), quiet, (asked) => remove(self, asked));
    case 'get':
      return get(self, words, quiet);
    case 'flush':
      return flush(self, quiet);
    case 'show':
      await self.stdout.write(await routingTables(self, args.has('n')));
      return 0;
    default:
      throw new UsageError(
        verb === undefined ? 'say what to do' : `'${verb}' is none of ${VERBS.join(', ')}`,
      );
  }
}

export const route = command({
  name: 'route',
  usage:
    '[-q] add [-net | -host] destination[/len] [-netmask mask] gateway [-ifp interface]\n' +
    '[-q] add [-net | -host] destination[/len] [-netmask mask] {-interface interface | -reject | -blackhole}\n' +
    '[-q] change [-net | -host] destination[/len] [-netmask mask] gateway\n' +
    '[-q] delete [-net | -host] destination[/len] [-netmask mask] [gateway]\n' +
    '[-q] get host\n' +
    '[-q] flush\n' +
    '[-n] show',
  summary: 'change and query the routing table',
  options: 'nqv',
  usageStatus: 1,
  run,
  complete: (_words, index) => (index <= 1 ? VERBS : ['default', ...ROUTE_MODIFIERS]),
});
