// The network commands on two nodes of a lab with virtual time: what a user who types them sees.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pipe, sourceOf } from '../../../stack/kernel/byte-stream.ts';
import { sleepNs } from '../../../stack/runtime/timers.ts';
import '../../../stack/utilities/programs.ts';
import { twoNodes } from '../../support/lab.ts';
import type { TwoNodes } from '../../support/lab.ts';
import { asProgram, runCommand, startCommand } from '../socket/programs.ts';

const MS = 1e6;
let lab: TwoNodes;

beforeAll(async () => {
  lab = await twoNodes();
});
afterAll(() => lab.stop());

const alpha = (line: string, input?: string): ReturnType<typeof runCommand> =>
  runCommand(lab.alpha, line, input === undefined ? undefined : sourceOf(input));
const beta = (line: string): ReturnType<typeof runCommand> => runCommand(lab.beta, line);
const settle = (): Promise<void> => asProgram(lab.alpha, () => sleepNs(50 * MS));

test('ping prints replies and statistics', async () => {
  const { status, out } = await alpha('ping -c 3 10.0.0.2');
  expect(status).toBe(0);
  expect(out).toMatch(/^PING 10\.0\.0\.2 \(10\.0\.0\.2\): 56 data bytes\n/);
  for (let i = 0; i < 3; i++) {
    expect(out).toMatch(
      new RegExp(`^64 bytes from 10\\.0\\.0\\.2: icmp_seq=${i} ttl=\\d+ time=[\\d.]+ ms$`, 'm'),
    );
  }
  expect(out).toContain('3 packets transmitted, 3 packets received, 0.0% packet loss\n');
  expect(out).toMatch(/^round-trip min\/avg\/max\/stddev = [\d.]+\/[\d.]+\/[\d.]+\/[\d.]+ ms$/m);
});

test.each([0, 1472, 1473, 65_507])('ping with %i bytes of data', async (size) => {
  const { status, out } = await alpha(`ping -c 1 -s ${size} 10.0.0.2`);
  expect(status).toBe(0);
  expect(out).toContain(`${size + 8} bytes from 10.0.0.2: icmp_seq=0`);
});

test('http -w ends a transfer that does not begin', async () => {
  const { status, err } = await alpha('http get -w 2 http://10.0.0.77/');
  expect(status).toBe(1);
  expect(err).toBe('http: 10.0.0.77: Connection timed out\n');
});

test('ping of nobody: every packet is lost, status 1', async () => {
  const { status, out } = await alpha('ping -c 2 10.0.0.77');
  expect(status).toBe(1);
  expect(out).toContain('2 packets transmitted, 0 packets received, 100.0% packet loss\n');
});

test('ping where no route leads says so', async () => {
  const { status, err } = await alpha('ping -c 1 9.9.9.9');
  expect(status).toBe(1);
  expect(err).toBe('ping: sendto: No route to host\n');
});

test('ping -D with more than the MTU is refused', async () => {
  const { status, err } = await alpha('ping -D -c 1 -s 3000 10.0.0.2');
  expect(status).toBe(1);
  expect(err).toBe('ping: sendto: Message too long\n');
});

test('ping ends on Ctrl-C with its statistics', async () => {
  const running = startCommand(lab.alpha, 'ping 10.0.0.2');
  await settle();
  running.process.kill('SIGINT');
  expect(await running.process.exited).toBe(0);
  expect(running.out()).toContain('1 packets transmitted, 1 packets received');
});

test('ping of the node itself and of the loopback address', async () => {
  expect((await alpha('ping -c 1 127.0.0.1')).status).toBe(0);
  expect((await alpha('ping -c 1 10.0.0.1')).status).toBe(0);
});

test.each(['', ' -I'])('traceroute%s reaches a neighbour in one hop', async (option) => {
  const { status, out } = await alpha(`traceroute -n${option} 10.0.0.2`);
  expect(status).toBe(0);
  const [head, hop, ...more] = out.trimEnd().split('\n');
  expect(head).toBe('traceroute to 10.0.0.2 (10.0.0.2), 30 hops max, 40 byte packets');
  expect(hop).toMatch(/^ 1 {2}10\.0\.0\.2( {2}[\d.]+ ms){3}$/);
  expect(more).toEqual([]);
});

test('nc carries a line from one node to the other', async () => {
  const listening = startCommand(lab.beta, 'nc -l 7000');
  await settle();
  expect(await alpha('nc 10.0.0.2 7000', 'hello beta\n')).toEqual({ status: 0, out: '', err: '' });
  expect(await listening.process.exited).toBe(0);
  expect(listening.out()).toBe('hello beta\n');
});

test('nc -z finds the one open port', async () => {
  const listening = startCommand(lab.beta, 'nc -l 7001');
  await settle();
  const { status, err } = await alpha('nc -z 10.0.0.2 7000-7002');
  expect(status).toBe(0);
  expect(err).toBe('Connection to 10.0.0.2 7001 port [tcp/*] succeeded!\n');
  expect(await listening.process.exited).toBe(0);
});

test('nc over UDP', async () => {
  const listening = startCommand(lab.beta, 'nc -u -l -w 1 7002');
  await settle();
  expect((await alpha('nc -u -w 1 10.0.0.2 7002', 'datagram\n')).status).toBe(0);
  expect(await listening.process.exited).toBe(0);
  expect(listening.out()).toBe('datagram\n');
});

test('nc ends when it is killed while it waits for both its input and its peer', async () => {
  const listening = startCommand(lab.beta, 'nc -l 7004', pipe().source);
  await settle();
  const calling = startCommand(lab.alpha, 'nc 10.0.0.2 7004', pipe().source);
  await settle();
  calling.process.kill('SIGTERM');
  expect(await calling.process.exited).toBe(128 + 15);
  expect(await listening.process.exited).toBe(0);
});

test('ttcp counts the same bytes at both ends', async () => {
  const receiver = startCommand(lab.beta, 'ttcp -r -s');
  await settle();
  const { status, out } = await alpha('ttcp -t -s -l 8192 -n 100 10.0.0.2');
  expect(status).toBe(0);
  expect(out).toMatch(/^ttcp-t: 819200 bytes in [\d.]+ real seconds = [\d.]+ KB\/sec \+\+\+$/m);
  expect(await receiver.process.exited).toBe(0);
  expect(receiver.out()).toMatch(/^ttcp-r: 819200 bytes in /m);
});

test('httpd serves its page, files, uploads and bytes; http says what it got', async () => {
  const server = startCommand(lab.beta, 'httpd -v');
  await settle();
  const page = await alpha('http get http://10.0.0.2/');
  expect(page.status).toBe(0);
  expect(page.out).toContain('<h1>beta</h1>');
  expect((await alpha('http get -i 10.0.0.2/')).out).toMatch(
    /^HTTP\/1\.1 200 OK\nDate: \w{3}, \d\d \w{3} \d{4} /,
  );
  const missing = await alpha('http get http://10.0.0.2/nothing.txt');
  expect(missing).toEqual({
    status: 1,
    out: '404 /nothing.txt is not here\n',
    err: 'http: http://10.0.0.2/nothing.txt: 404 Not Found\n',
  });
  const hello = 'bytes=5 sha256=2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\n';
  expect((await alpha('http post 10.0.0.2/ -d hello')).out).toBe(hello);
  expect((await alpha('http put 10.0.0.2/a.txt -d @-', 'hello')).out).toBe(hello);
  expect((await alpha('http get 10.0.0.2/a.txt')).out).toBe('hello');
  expect((await alpha('http get -q 10.0.0.2/bytes/500000')).out).toMatch(
    / bytes=500000 sha256=[0-9a-f]{64}\n$/,
  );
  expect((await alpha('http get 10.0.0.2:81')).err).toBe('http: connect: Connection refused\n');
  server.process.kill('SIGINT');
  expect(await server.process.exited).toBe(130);
  expect(server.out()).toContain('10.0.0.1 "GET /nothing.txt HTTP/1.1" 404 29\n');
});

test('ifconfig shows, sets and removes addresses and flags', async () => {
  const { out } = await alpha('ifconfig en0');
  expect(out).toMatch(/^en0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n/);
  expect(out).toContain('\tinet 10.0.0.1 netmask 0xffffff00 broadcast 10.0.0.255\n');
  expect(out).toContain('\tstatus: active\n');
  expect((await alpha('ifconfig en0 10.0.7.1/24 alias')).status).toBe(0);
  expect((await alpha('ifconfig en0')).out).toContain('\tinet alias 10.0.7.1 netmask 0xffffff00');
  expect((await alpha('ifconfig en0 10.0.7.1 delete')).status).toBe(0);
  expect((await alpha('ifconfig en0 mtu 1400')).status).toBe(0);
  const changed = (await alpha('ifconfig en0')).out;
  expect(changed).not.toContain('10.0.7.1');
  expect(changed).toContain('mtu 1400');
  await alpha('ifconfig en0 mtu 1500');
  expect((await alpha('ifconfig -l')).out).toBe('lo0 en0\n');
  expect(await alpha('ifconfig en9')).toEqual({
    status: 1,
    out: '',
    err: 'ifconfig: interface en9 does not exist\n',
  });
});

test('ifconfig down takes the link down too', async () => {
  await beta('ifconfig en0 down');
  const down = (await beta('ifconfig en0')).out;
  expect(down).not.toMatch(/<UP/);
  expect(down).toContain('status: no carrier');
  await beta('ifconfig en0 up');
  expect((await beta('ifconfig en0')).out).toContain('status: active');
});

test('lo1 is created and destroyed', async () => {
  expect((await alpha('ifconfig lo1 create')).status).toBe(0);
  expect((await alpha('ifconfig -l')).out).toContain('lo1');
  expect((await alpha('ifconfig lo1 destroy')).status).toBe(0);
  expect((await alpha('ifconfig -l')).out).not.toContain('lo1');
});

test('route adds, finds, shows and deletes', async () => {
  expect((await alpha('route add default 10.0.0.2')).out).toBe('add net default: gateway 10.0.0.2\n');
  expect((await alpha('route add -net 10.1.0.0/16 10.0.0.2')).status).toBe(0);
  const found = (await alpha('route get 10.1.2.3')).out;
  expect(found).toContain('destination: 10.1.0.0\n');
  expect(found).toContain('    gateway: 10.0.0.2\n');
  expect((await alpha('netstat -rn')).out).toMatch(/^10\.1\/16 +10\.0\.0\.2 +UGS /m);
  const again = await alpha('route add -net 10.1.0.0/16 10.0.0.2');
  expect(again.status).toBe(1);
  expect(again.err).toBe('route: writing to routing socket: File exists\n');
  expect((await alpha('route delete -net 10.1.0.0/16')).out).toBe('delete net 10.1.0.0/16\n');
  expect((await alpha('route delete default')).status).toBe(0);
  const gone = await alpha('route delete default');
  expect(gone.status).toBe(1);
  expect(gone.out).toBe('delete net default: not in table\n');
  const unreachable = await alpha('route add -net 10.2.0.0/16 9.9.9.9');
  expect(unreachable.err).toBe('route: writing to routing socket: Network is unreachable\n');
});

test('arp shows a neighbour that was talked to, takes entries and drops them', async () => {
  await alpha('ping -c 1 10.0.0.2');
  expect((await alpha('arp -an')).out).toMatch(/^\? \(10\.0\.0\.2\) at ([0-9a-f]{2}:){5}[0-9a-f]{2} on en0/m);
  expect((await alpha('arp -s 10.0.0.50 2:0:0:0:0:50')).status).toBe(0);
  expect((await alpha('arp -n 10.0.0.50')).out).toBe('? (10.0.0.50) at 02:00:00:00:00:50 on en0 permanent\n');
  expect((await alpha('arp -d 10.0.0.50')).out).toBe('10.0.0.50 (10.0.0.50) deleted\n');
  expect((await alpha('arp 10.0.0.50')).status).toBe(1);
});

test('netstat: sockets, interfaces, counters, memory', async () => {
  const server = startCommand(lab.beta, 'nc -l 7003');
  await settle();
  expect((await beta('netstat -an')).out).toMatch(/^tcp +0 +0 +\*\.7003 +\*\.\* +LISTEN$/m);
  server.process.kill('SIGTERM');
  await server.process.exited;
  expect((await beta('netstat -an')).out).not.toContain('7003');
  expect((await alpha('netstat -in')).out).toMatch(/^en0 +1500 +10\.0\.0\/24 +10\.0\.0\.1 +\d+/m);
  const counters = (await alpha('netstat -s')).out;
  for (const protocol of ['ip', 'icmp', 'udp', 'tcp'])
    expect(counters).toMatch(new RegExp(`^${protocol}:$`, 'm'));
  const memory = (await alpha('netstat -m')).out;
  expect(memory).toMatch(/^\d+\/\d+ mbufs in use/m);
  expect(memory).toMatch(/^tcpcb +\d+ +\d+/m);
});

test('sysctl kern.iopkt tells of threads, context, queues and buffers, and none of it can be set', async () => {
  const { out } = await alpha('sysctl kern.iopkt');
  const values = new Map(
    out
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' = ') as [string, string]),
  );
  // In virtual time one thread does everything: it holds the context while it answers.
  expect(values.get('kern.iopkt.threads')).toBe('1');
  expect(values.get('kern.iopkt.context.holder')).toBe('0');
  expect(Number(values.get('kern.iopkt.context.taken'))).toBeGreaterThan(0);
  expect(Number(values.get('kern.iopkt.events.stack'))).toBeGreaterThan(0);
  expect(Number(values.get('kern.iopkt.mbufs.peak'))).toBeGreaterThan(0);
  const refused = await alpha('sysctl -w kern.iopkt.threads=2');
  expect(refused.err).toContain('kern.iopkt.threads is what the stack says of itself: it cannot be set');
});

test('netstat -m shows the threads and who holds the context', async () => {
  const { out } = await alpha('netstat -m');
  expect(out).toMatch(/^Threads and the context of this stack\nThread +Role +Context +Queue/m);
  expect(out).toMatch(/^ +0 +stack +holds +\d+ +\d+ +[1-9]\d* /m);
});

test('sysctl reads and sets a variable', async () => {
  expect((await alpha('sysctl net.inet.ip.forwarding')).out).toBe('net.inet.ip.forwarding = 0\n');
  expect((await alpha('sysctl -w net.inet.ip.forwarding=1')).out).toBe('net.inet.ip.forwarding: 0 -> 1\n');
  expect((await alpha('sysctl -n net.inet.ip.forwarding')).out).toBe('1\n');
  await alpha('sysctl -w net.inet.ip.forwarding=0');
  expect((await alpha('sysctl -a')).out).toContain('net.inet.ip.ttl = ');
  const wrong = await alpha('sysctl net.inet.ip.nothing');
  expect(wrong.status).toBe(1);
  expect(wrong.err).toBe("sysctl: fourth level name 'nothing' in 'net.inet.ip.nothing' is invalid\n");
});

test('nicinfo shows the counters of the driver', async () => {
  const { status, out } = await alpha('nicinfo en0');
  expect(status).toBe(0);
  expect(out).toMatch(/^ {2}Packets Transmitted OK \.+ [1-9]\d*$/m);
});

test('every network command has help', async () => {
  for (const name of 'arp http httpd ifconfig mount nc netstat nicinfo ping route sysctl traceroute ttcp'.split(
    ' ',
  )) {
    const { status, out } = await alpha(`${name} --help`);
    expect(status, name).toBe(0);
    expect(out).toMatch(new RegExp(`^${name}: .+\nusage: ${name} `));
  }
});
