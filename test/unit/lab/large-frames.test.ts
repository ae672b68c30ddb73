// TCP between cards of one process hands over many segments at once: nobody who looks on may see that, and what arrives is the same everywhere.
import { afterEach, expect, test } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { checksum, ipBytes, parseFrame } from '../../support/frames.ts';
import { labFrom, run, stopLab } from '../../support/lab.ts';

const BYTES = 1_000_000;
const MTU_FRAME = 1514;

const FAR = `stack: io-pkt-v4-hc, interfaces: [en0], startup: [ifconfig en0 10.0.0.2/24 up, httpd -p 80 &]`;
const PLAIN = `
name: large
nodes:
  alpha: { stack: io-pkt-v4-hc, interfaces: [en0], startup: [ifconfig en0 10.0.0.1/24 up] }
  beta: { ${FAR} }
links:
`;
const CABLE = `${PLAIN}  wire: { between: [alpha:en0, beta:en0] }\n`;
const ROUTER = `
name: large
nodes:
  alpha: { stack: io-pkt-v4-hc, interfaces: [en0], startup: [ifconfig en0 10.1.0.1/24 up, route add default 10.1.0.254] }
  router: { stack: io-pkt-v4-hc -ptcpip forward, interfaces: [en0, en1], startup: [ifconfig en0 10.1.0.254/24 up, ifconfig en1 10.0.0.254/24 up] }
  beta: { stack: io-pkt-v4-hc, interfaces: [en0], startup: [ifconfig en0 10.0.0.2/24 up, route add default 10.0.0.254, httpd -p 80 &] }
links:
  near: { between: [alpha:en0, router:en0] }
  far: { between: [router:en1, beta:en0] }
`;

let lab: RunningLab;
afterEach(() => stopLab(lab));

const start = async (text: string): Promise<void> => {
  lab = await labFrom(text, { time: 'real', threads: 2 });
};

async function fetchDigest(): Promise<string> {
  const { status, out } = await run(lab, 'alpha', `http get -q http://10.0.0.2/bytes/${BYTES}`);
  expect(status).toBe(0);
  return out;
}

async function counters(node: string): Promise<{ packetsIn: number; packetsOut: number; bytesOut: number }> {
  const { out } = await run(lab, node, 'ifconfig -v en0');
  const [, packetsIn] = /input: (\d+) packets/.exec(out)!;
  const [, packetsOut, bytesOut] = /output: (\d+) packets?, (\d+) bytes/.exec(out)!;
  return { packetsIn: Number(packetsIn), packetsOut: Number(packetsOut), bytesOut: Number(bytesOut) };
}

/** True if the TCP checksum of an IPv4 packet is good. */
function tcpSumGood(source: string, destination: string, segment: Buffer): boolean {
  const pseudo = Buffer.concat([ipBytes(source), ipBytes(destination), Buffer.from([0, 6, 0, 0])]);
  pseudo.writeUInt16BE(segment.length, 10);
  return checksum(Buffer.concat([pseudo, segment])) === 0;
}

test('a perfect cable carries many segments at once: few acknowledgements, and counters as of the wire', async () => {
  await start(CABLE);
  await fetchDigest();
  const far = await counters('beta');
  // 1448 bytes of data in each frame.
  expect(far.packetsOut).toBeGreaterThan(BYTES / 1448);
  expect(far.bytesOut).toBeGreaterThan(BYTES + (BYTES / 1448) * 66);
  expect(far.packetsIn).toBeLessThan(far.packetsOut / 4);
});

test('without tso4 every second segment is acknowledged', async () => {
  await start(CABLE);
  expect((await run(lab, 'beta', 'ifconfig en0 -tso4')).status).toBe(0);
  await fetchDigest();
  const far = await counters('beta');
  expect(far.packetsIn).toBeGreaterThan(far.packetsOut / 3);
});

test.each(['link:wire', 'alpha:en0', 'beta:en0'])(
  'a capture at %s shows frames as they would cross a wire',
  async (point) => {
    await start(CABLE);
    const places = lab.places().filter(({ name }) => name === point);
    let frames = 0;
    const wrong: string[] = [];
    const capture = lab.captures.listen(places, 65_535, ({ bytes, length }) => {
      frames++;
      const { ip } = parseFrame(Buffer.from(bytes));
      if (length > MTU_FRAME) wrong.push(`${length} bytes`);
      if (ip === undefined) return;
      if (!ip.checksumGood) wrong.push('IP checksum');
      if (ip.protocol === 6 && !tcpSumGood(ip.source, ip.destination, ip.payload)) wrong.push('TCP checksum');
    });
    await fetchDigest();
    capture.stop();
    expect(wrong).toEqual([]);
    expect(frames).toBeGreaterThan(BYTES / 1448);
  },
);

test('the same bytes arrive over cables, hubs, switches, routers and bad links', async () => {
  const labs = [
    CABLE,
    ROUTER,
    `${PLAIN}  wire: { between: [alpha:en0, beta:en0], delay: 0.1ms, loss: 0.1%, corrupt: 0.1% }\n`,
    `${PLAIN}  wire: { between: [alpha:en0, beta:en0], mtu: 1500 }\n`,
    `${PLAIN}  a: { between: [alpha:en0, hub] }\n  b: { between: [beta:en0, hub] }\nswitches:\n  hub: { ports: 2 }\n`,
  ];
  const digests: string[] = [];
  for (const text of labs) {
    await start(text);
    digests.push(await fetchDigest());
    if (text !== labs.at(-1)) await stopLab(lab);
  }
  expect(new Set(digests).size).toBe(1);
});
