import { expect, test } from 'vitest';
import { AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_BROADCAST } from '../../../stack/runtime/messages/request.ts';
import * as libsocket from '../../../stack/socket/libsocket.ts';
import { inetAton } from '../../../stack/socket/inet.ts';
import { ETHERTYPE, PROTOCOL, ether, icmp, ipv4, pass, udp } from '../../support/frames.ts';
import { nodeOf } from '../../support/lab.ts';
import { asProgram, start } from '../socket/programs.ts';
import { MAC, ME, NODE, frame, lab, onNode, packets, peer, useNeighbour } from './neighbour.ts';

useNeighbour();

const address = (text: string): number => inetAton(text)!;
const datagram = (port: number, text: string, checksum?: number): Buffer =>
  frame({
    protocol: PROTOCOL.udp,
    payload: udp({
      source: ME,
      destination: NODE,
      sourcePort: 4000,
      port,
      payload: Buffer.from(text),
      ...(checksum !== undefined && { checksum }),
    }),
  });

test('a datagram arrives with its source; without a checksum too, with a wrong one not', async () => {
  const receiving = start(nodeOf(lab, 'node'), async (self) => {
    const fd = await libsocket.socket(self, AF_INET, SOCK_DGRAM, 0);
    await libsocket.bind(self, fd, { address: 0, port: 53 });
    return [await libsocket.recvfrom(self, fd, 100), await libsocket.recvfrom(self, fd, 3)] as const;
  });
  await pass(1000);
  peer.send(datagram(53, 'wrong', 0x1234), datagram(53, 'first'), datagram(53, 'second', 0));
  const [first, second] = await receiving.result;
  expect(first.data.toString()).toBe('first');
  expect(first.from).toEqual({ address: address(ME), port: 4000 });
  expect(second.data.toString()).toBe('sec');
  expect((await onNode('netstat -s -p udp')).out).toMatch(/1 with bad checksum/);
});

test('a connected socket hears of a closed port, and of its own peer only', async () => {
  await asProgram(nodeOf(lab, 'node'), async (self) => {
    const fd = await libsocket.socket(self, AF_INET, SOCK_DGRAM, 0);
    await libsocket.connect(self, fd, { address: address(ME), port: 4000 });
    const { port } = await libsocket.getsockname(self, fd);
    await libsocket.send(self, fd, 'hello');
    await pass(1000);
    const [sent] = packets(peer.takeParsed());
    expect(sent!.udp).toMatchObject({ port: 4000, sourcePort: port });
    const quoted = ipv4({
      source: NODE,
      destination: ME,
      protocol: PROTOCOL.udp,
      payload: sent!.payload.subarray(0, 8),
    });
    const stranger = udp({
      source: ME,
      destination: NODE,
      sourcePort: 4001,
      port,
      payload: Buffer.from('no'),
    });
    peer.send(
      frame({ protocol: PROTOCOL.udp, payload: stranger }),
      frame({ protocol: PROTOCOL.icmp, payload: icmp(3, 3, 0, quoted) }),
    );
    await expect(libsocket.recv(self, fd, 100)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

test('broadcasts need the permission of the sender, and reach all who listen', async () => {
  await asProgram(nodeOf(lab, 'node'), async (self) => {
    const fd = await libsocket.socket(self, AF_INET, SOCK_DGRAM, 0);
    const everybody = { address: address('10.0.0.255'), port: 9 };
    await expect(libsocket.sendto(self, fd, 'x', everybody)).rejects.toMatchObject({ code: 'EACCES' });
    await libsocket.setsockopt(self, fd, SOL_SOCKET, SO_BROADCAST, 1);
    await libsocket.sendto(self, fd, 'x', everybody);
    await pass(1000);
    expect(peer.takeParsed()[0]).toMatchObject({
      destination: 'ff:ff:ff:ff:ff:ff',
      ip: { destination: '10.0.0.255' },
    });
    const one = await libsocket.socket(self, AF_INET, SOCK_DGRAM, 0);
    await libsocket.bind(self, one, { address: 0, port: 67 });
    const payload = udp({
      source: ME,
      destination: '255.255.255.255',
      sourcePort: 68,
      port: 67,
      payload: Buffer.from('all'),
    });
    peer.send(
      ether(
        'ff:ff:ff:ff:ff:ff',
        MAC,
        ETHERTYPE.ip,
        ipv4({ source: ME, destination: '255.255.255.255', protocol: PROTOCOL.udp, payload }),
      ),
    );
    expect((await libsocket.recv(self, one, 10)).toString()).toBe('all');
  });
});

test('datagrams that are too long are refused; a full buffer drops and counts', async () => {
  await asProgram(nodeOf(lab, 'node'), async (self) => {
    const fd = await libsocket.socket(self, AF_INET, SOCK_DGRAM, 0);
    await libsocket.bind(self, fd, { address: 0, port: 53 });
    const to = { address: address(ME), port: 1 };
    await expect(libsocket.sendto(self, fd, Buffer.alloc(70_000), to)).rejects.toMatchObject({
      code: 'EMSGSIZE',
    });
    await expect(libsocket.sendto(self, fd, Buffer.alloc(20_000), to)).rejects.toMatchObject({
      code: 'EMSGSIZE',
    });
    peer.send(...Array.from({ length: 50 }, () => datagram(53, 'x'.repeat(1400))));
    await pass(1000);
    expect((await onNode('netstat -s -p udp')).out).toMatch(/[1-9]\d* dropped due to full socket buffers/);
    expect((await libsocket.recv(self, fd, 2000)).length).toBe(1400);
  });
});
