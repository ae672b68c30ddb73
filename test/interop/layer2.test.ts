// Layer 2 against programs of others: the spanning tree with the bridge of the Linux kernel, VLANs with scapy over a packet socket, BPDUs and LACPDUs as tshark
// reads them. All in a network namespace of this test.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { RunningLab } from '../../main/lab/lab.ts';
import { bridges, portsOf } from '../../stack/net/bridge-record.ts';
import type { Bridge } from '../../stack/net/bridge-record.ts';
import { labFrom, stopLab, succeed } from '../support/lab.ts';
import { requires } from '../support/requires.ts';
import { computedRoles, roleOf, treeOf } from '../support/spanning-tree.ts';
import type { TreeBridge } from '../support/spanning-tree.ts';
import { runProgram, startStackscope } from './support/lab-process.ts';
import { enterNetworkNamespace } from './support/network-namespace.ts';

const tools = ['ip', 'tshark', 'unshare', 'setpriv', 'scapy'];
const missing = requires({ tools, root: true, netns: true, tun: true });
/** Debian's scapy is a module of Debian's Python. */
const PYTHON = '/usr/bin/python3';

let folder: string;
let lab: RunningLab | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stackscope-'));
  if (missing === undefined) enterNetworkNamespace();
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(async () => {
  const running = lab;
  lab = undefined;
  if (running !== undefined) await stopLab(running);
});

/** A port of the Linux bridge as `ip` shows it. */
interface LinuxPort {
  readonly ifname: string;
  readonly operstate: string;
  readonly linkinfo: { info_slave_data: { state: string; id: string; no: string; cost: number } };
}

interface LinuxBridge {
  readonly linkinfo: { info_data: { bridge_id: string; root_port: number } };
}

async function ipShow<T>(...words: string[]): Promise<T[]> {
  return JSON.parse(await runProgram('ip', '-json', '-details', 'link', 'show', ...words)) as T[];
}

const TAPS = ['sstp0', 'sstp1', 'sstp2'] as const;

/** The Linux bridge as a part of the tree, and the roles of its ports that carry frames. */
async function linuxBridge(): Promise<{ tree: TreeBridge; roles: string[] }> {
  const [bridge] = await ipShow<LinuxBridge>('br0');
  const ports = (await ipShow<LinuxPort>('master', 'br0')).filter(({ operstate }) => operstate !== 'DOWN');
  ports.sort((a, b) => (a.ifname < b.ifname ? -1 : 1));
  const { bridge_id: id, root_port: rootPort } = bridge!.linkinfo.info_data;
  const [priority, mac] = id.split('.');
  return {
    tree: {
      id:
        priority!.padStart(4, '0') +
        mac!.replace(/[0-9a-f]+:?/g, (byte) => byte.replace(':', '').padStart(2, '0')),
      ports: ports.map(({ ifname, linkinfo: { info_slave_data: data } }) => ({
        id: Number(data.id),
        cost: data.cost,
        lan: ifname,
      })),
    },
    roles: ports.map(({ linkinfo: { info_slave_data: data } }) => {
      if (data.state === 'blocking') return 'blocked';
      if (data.state !== 'forwarding') return 'unsettled';
      return Number(data.no) === rootPort ? 'root' : 'designated';
    }),
  };
}

/** Waits until all bridges, the kernel's and those of the lab, have the roles that are computed. */
async function expectTree(ours: readonly Bridge[], lanOf: ReadonlyMap<number, string>): Promise<string[][]> {
  let roles: string[][] = [];
  await vi.waitFor(
    async () => {
      const { tree, roles: theirs } = await linuxBridge();
      roles = [theirs, ...ours.map((bridge) => portsOf(bridge).map((port) => roleOf(bridge, port)))];
      expect(roles).toEqual(computedRoles([tree, ...treeOf(ours, ({ end }) => lanOf.get(end)!)]));
    },
    { timeout: 20_000, interval: 200 },
  );
  return roles;
}

describe.skipIf(missing)('the spanning tree with the Linux bridge', () => {
  test('in a graph of both with loops and parallel links: the tree that is computed, with another root, and after a cut', async () => {
    lab = await labFrom(
      `
name: linux-bridge
nodes:
  x: { stack: io-pkt-v4-hc, interfaces: [en0, en1, en2] }
switches:
  sw: { stp: true }
ports:
  t0: { tap: ${TAPS[0]} }
  t1: { tap: ${TAPS[1]} }
  t2: { tap: ${TAPS[2]} }
links:
  l0: { between: [x:en0, t0] }
  l1: { between: [x:en1, t1] }
  l2: { between: [sw, t2] }
  l3: { between: [x:en2, sw] }
`,
      { time: 'real', threads: 2 },
    );
    await runProgram('ip', 'link', 'add', 'br0', 'type', 'bridge', 'stp_state', '1', 'priority', '4096');
    await runProgram(
      'ip',
      'link',
      'set',
      'br0',
      'type',
      'bridge',
      'hello_time',
      '100',
      'forward_delay',
      '200',
      'max_age',
      '600',
    );
    for (const tap of TAPS) await runProgram('ip', 'link', 'set', tap, 'master', 'br0', 'up');
    await runProgram('ip', 'link', 'set', 'br0', 'up');
    await succeed(lab, 'x', 'ifconfig en0 up; ifconfig en1 up; ifconfig en2 up; ifconfig bridge0 create');
    await succeed(lab, 'x', 'brconfig bridge0 add en0 stp en0 add en1 stp en1 add en2 stp en2');
    await succeed(lab, 'x', 'brconfig bridge0 hellotime 1 fwddelay 2 maxage 6 up');
    const x = bridges.get(lab.findInterface('x', 'bridge0')!.softc);
    const { bridge: sw, plugs } = lab.switches.get('sw')!;
    const [toTap, toX] = [...plugs.values()];
    const lans = new Map([
      [lab.findInterface('x', 'en0')!.ptr, TAPS[0]],
      [lab.findInterface('x', 'en1')!.ptr, TAPS[1]],
      [lab.findInterface('x', 'en2')!.ptr, 'l3'],
      [toTap!, TAPS[2]],
      [toX!, 'l3'],
    ]);
    const first = await expectTree([x, sw], lans);
    expect(first[0]).toEqual(['designated', 'designated', 'designated']);

    await succeed(lab, 'x', 'brconfig bridge0 priority 0');
    const second = await expectTree([x, sw], lans);
    expect(second[1]).toEqual(['designated', 'designated', 'designated']);
    expect(second[0]).toContain('root');

    const rootTap = TAPS[second[0]!.indexOf('root')]!;
    await runProgram('ip', 'link', 'set', rootTap, 'down');
    const third = await expectTree([x, sw], lans);
    expect(third[0]).toContain('root');
    await runProgram('ip', 'link', 'del', 'br0');
  }, 60_000);
});

/** What scapy is to do on the TAP: asks by ARP and by ICMP with tags of VLAN 7 and priority 3, and prints the tagged frames that come. */
const SCAPY = `
import json, sys, time
from scapy.all import ARP, AsyncSniffer, Dot1Q, Ether, ICMP, IP, Raw, get_if_hwaddr, sendp
tap = sys.argv[1]
me = get_if_hwaddr(tap)
got = []
def note(frame):
    if Dot1Q not in frame or frame.src == me: return
    what = 'arp' if ARP in frame and frame[ARP].op == 2 else 'icmp' if ICMP in frame else 'other'
    got.append([what, frame[Dot1Q].vlan, frame[Dot1Q].prio, len(frame[Raw].load) if Raw in frame else 0])
sniffer = AsyncSniffer(iface=tap, prn=note, store=False)
sniffer.start()
time.sleep(0.5)
def tagged(vlan, prio): return Ether(src=me, dst='ff:ff:ff:ff:ff:ff') / Dot1Q(vlan=vlan, prio=prio)
ask = ARP(op=1, hwsrc=me, psrc='10.0.7.2', pdst='10.0.7.1')
sendp(tagged(8, 3) / ask, iface=tap, verbose=False)
sendp(tagged(7, 3) / ask, iface=tap, verbose=False)
time.sleep(0.5)
echo = Ether(src=me, dst=sys.argv[2]) / Dot1Q(vlan=7, prio=3) / IP(src='10.0.7.2', dst='10.0.7.1') / ICMP(id=1)
for size in (56, 1472): sendp(echo / Raw(b'x' * size), iface=tap, verbose=False)
time.sleep(0.5)
sniffer.stop()
print(json.dumps(got))
`;

describe.skipIf(missing)('VLANs with scapy', () => {
  test('its tagged frames come in by our VLAN, and it sees ours with their tag and priority', async () => {
    lab = await labFrom(
      `
name: scapy
nodes:
  v: { stack: io-pkt-v4-hc, interfaces: [en0] }
ports:
  host: { tap: svlan0 }
links:
  l0: { between: [v:en0, host] }
`,
      { time: 'real', threads: 2 },
    );
    await succeed(
      lab,
      'v',
      'ifconfig en0 up; ifconfig vlan0 create; ifconfig vlan0 vlan 7 vlanif en0 vlanprio 5',
    );
    await succeed(lab, 'v', 'ifconfig vlan0 10.0.7.1/24');
    await runProgram('ip', 'link', 'set', 'svlan0', 'up');
    const output = await runProgram(PYTHON, '-c', SCAPY, 'svlan0', '02:00:00:00:00:00');
    expect(JSON.parse(output)).toEqual([
      ['arp', 7, 5, 0],
      ['icmp', 7, 5, 56],
      ['icmp', 7, 5, 1472],
    ]);
  }, 30_000);
});

describe.skipIf(missing)('tshark reads', () => {
  const LAB = `
name: control-protocols
nodes:
  a: { stack: io-pkt-v4-hc, interfaces: [en0, en1], startup: ['ifconfig agr0 create', 'ifconfig agr0 agrport en0 agrport en1',
      'ifconfig agr0 10.0.0.1/24'] }
  b: { stack: io-pkt-v4-hc, interfaces: [en0, en1, en2, en3], startup: ['ifconfig agr0 create', 'ifconfig agr0 agrport en0 agrport en1',
      'ifconfig agr0 10.0.0.2/24', 'ifconfig en2 up', 'ifconfig en3 up', 'ifconfig bridge0 create',
      'brconfig bridge0 add agr0 add en2 stp en2 add en3 stp en3 up'] }
  c: { stack: io-pkt-v4, interfaces: [en0], startup: ['ifconfig en0 up'] }
switches:
  s: { stp: true }
links:
  l0: { between: [a:en0, b:en0] }
  l1: { between: [a:en1, b:en1] }
  l2: { between: [s, b:en2] }
  l3: { between: [s, b:en3] }
  l4: { between: [s, c:en0] }
captures:
  everything: { at: all, file: control.pcapng }
`;

  test('BPDUs and LACPDUs, and has nothing to complain of', async () => {
    const file = join(folder, 'control.lab.yaml');
    await writeFile(file, LAB);
    const commands = 'a: sleep 40; ping -c 3 10.0.0.2; ifconfig agr0 -agrport en1; sleep 5';
    const { status, out } = await startStackscope('run', file, '--time', 'virtual', '--exec', commands)
      .finished;
    expect(out).toContain('3 packets received');
    expect(status).toBe(0);
    const read = (...words: string[]): Promise<string> =>
      runProgram('tshark', '-n', '-r', join(folder, 'control.pcapng'), ...words);
    const bad =
      '_ws.malformed || _ws.short || _ws.expert.severity >= 0x400000 || !(lacp || stp || arp || icmp)';
    expect(await read('-Y', bad)).toBe('');
    const fields = [
      'stp.type',
      'stp.root.hw',
      'lacp.actor.state.distributing',
      'lacp.partner.state.distributing',
    ];
    const lines = (await read('-T', 'fields', ...fields.flatMap((field) => ['-e', field]))).split('\n');
    const count = (...values: string[]): number => lines.filter((line) => line === values.join('\t')).length;
    // Configuration messages that name the root, topology change notices, and LACPDUs of partners that both use the link.
    expect(count('0x00', '02:00:00:00:01:02', '', '')).toBeGreaterThan(30);
    expect(count('0x80', '', '', '')).toBeGreaterThan(0);
    expect(count('', '', '1', '1') + count('', '', 'True', 'True')).toBeGreaterThan(0);
  }, 30_000);
});
