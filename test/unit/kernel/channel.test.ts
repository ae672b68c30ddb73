// Message passing between two processes of a node, as the System Architecture guide describes it for Neutrino.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  CHF_DISCONNECT,
  CHF_FIXED_PRIORITY,
  CHF_UNBLOCK,
  PULSE_CODE_DISCONNECT,
  PULSE_CODE_UNBLOCK,
  attachLocal,
  channelCreate,
  channelDestroy,
  connectAttach,
  connectDetach,
  msgDeliverEvent,
  msgError,
  msgReceive,
  msgReply,
  msgSend,
  msgSendPulse,
} from '../../../stack/kernel/channel.ts';
import type { Received } from '../../../stack/kernel/channel.ts';
import { createNode } from '../../../stack/kernel/node.ts';
import { spawn } from '../../../stack/kernel/process.ts';
import type { LabNode, Process } from '../../../stack/kernel/process.ts';
import { ERRNO } from '../../../stack/runtime/messages/errno.ts';

let node: LabNode;
beforeEach(() => {
  node = createNode({ name: 'alpha' });
});
afterEach(() => node.shutdown());

/** A process that does nothing by itself: the test makes its calls. */
function idle(name: string, priority: number, on = node): Process {
  const untilKilled = (self: Process): Promise<number> =>
    new Promise((resolve) => self.signal.addEventListener('abort', () => resolve(0)));
  return spawn(on, untilKilled, { argv: [name], priority });
}

const state = (process: Process): string => {
  const block = process.blocks.at(-1);
  return block === undefined ? 'READY' : `${block.state} ${block.on}`;
};

/** Lets promises that are settled run. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function messageOn(server: Process, chid: number): Promise<Extract<Received, { message: unknown }>> {
  const received = await msgReceive(server, chid);
  if (!('message' in received)) throw new Error(`a pulse ${received.code} came instead of a message`);
  return received;
}

const ask = { type: 'ask' };

describe('send, receive, reply', () => {
  test('a client is SEND-blocked until its message is received and REPLY-blocked until the answer', async () => {
    const [server, client] = [idle('server', 10), idle('client', 10)];
    const chid = channelCreate(server);
    const coid = connectAttach(client, 0, server.pid, chid);
    const answer = msgSend(client, coid, ask);
    expect(state(client)).toBe(`SEND ${server.pid}`);
    const { rcvid, message, info } = await messageOn(server, chid);
    expect(message).toBe(ask);
    expect(info).toMatchObject({ node: 'alpha', pid: client.pid, chid, priority: 10 });
    expect(state(client)).toBe(`REPLY ${server.pid}`);
    msgReply(server, rcvid, 5, 'text');
    expect(await answer).toEqual({ status: 5, reply: 'text' });
    expect(state(client)).toBe('READY');
  });

  test('a server that waits is RECEIVE-blocked on its channel', async () => {
    const [server, client] = [idle('server', 10), idle('client', 10)];
    const chid = channelCreate(server);
    const received = messageOn(server, chid);
    expect(state(server)).toBe(`RECEIVE ${chid}`);
    const answer = msgSend(client, connectAttach(client, 0, server.pid, chid), ask);
    expect(state(client)).toBe(`REPLY ${server.pid}`);
    msgReply(server, (await received).rcvid, 0);
    await answer;
    expect(state(server)).toBe('READY');
  });

  test('an error reply is thrown to the client', async () => {
    const [server, client] = [idle('server', 10), idle('client', 10)];
    const chid = channelCreate(server);
    const answer = msgSend(client, connectAttach(client, 0, server.pid, chid), ask);
    msgError(server, (await messageOn(server, chid)).rcvid, ERRNO.EACCES);
    await expect(answer).rejects.toMatchObject({ code: 'EACCES' });
  });

  test('a message can be answered once only', async () => {
    const [server, client] = [idle('server', 10), idle('client', 10)];
    const chid = channelCreate(server);
    const answer = msgSend(client, connectAttach(client, 0, server.pid, chid), ask);
    const { rcvid } = await messageOn(server, chid);
    msgReply(server, rcvid, 0);
    expect(() => msgReply(server, rcvid, 0)).toThrow('No such process');
    await answer;
  });

  test('there is no connecting to a channel that does not exist', () => {
    const client = idle('client', 10);
    expect(() => connectAttach(client, 0, 99, 1)).toThrow('channel 1 of process 99: No such process');
    expect(() => connectAttach(client, 7, 1, 1)).toThrow('node descriptor 7: No route to host');
  });
});

describe('priorities', () => {
  test('the server floats to the priority of the client it serves, up and down, and back to its own when idle', async () => {
    const [server, high, low] = [idle('server', 10), idle('high', 30), idle('low', 5)];
    const chid = channelCreate(server);
    const sends = [low, high].map((client) =>
      msgSend(client, connectAttach(client, 0, server.pid, chid), ask),
    );
    // The more urgent client is received first although it came second.
    const first = await messageOn(server, chid);
    expect(first.info.pid).toBe(high.pid);
    expect(server.priority).toBe(30);
    msgReply(server, first.rcvid, 0);
    const second = await messageOn(server, chid);
    expect(server.priority).toBe(5);
    msgReply(server, second.rcvid, 0);
    await Promise.all(sends);
    void msgReceive(server, chid).catch(() => undefined);
    expect(server.priority).toBe(10);
  });

  test('a server busy with a lesser client is hurried by a greater one', async () => {
    const [server, high, low] = [idle('server', 10), idle('high', 30), idle('low', 5)];
    const chid = channelCreate(server);
    void msgSend(low, connectAttach(low, 0, server.pid, chid), ask).catch(() => undefined);
    await messageOn(server, chid);
    expect(server.priority).toBe(5);
    void msgSend(high, connectAttach(high, 0, server.pid, chid), ask).catch(() => undefined);
    expect(server.priority).toBe(30);
  });

  test('a channel with fixed priority does not float', async () => {
    const [server, high] = [idle('server', 10), idle('high', 30)];
    const chid = channelCreate(server, CHF_FIXED_PRIORITY);
    void msgSend(high, connectAttach(high, 0, server.pid, chid), ask).catch(() => undefined);
    await messageOn(server, chid);
    expect(server.priority).toBe(10);
  });
});

describe('pulses and events', () => {
  test('pulses queue by priority among the messages and are not answered', async () => {
    const [server, client] = [idle('server', 10), idle('client', 10)];
    const chid = channelCreate(server);
    const coid = connectAttach(client, 0, server.pid, chid);
    msgSendPulse(client, coid, 1, 100);
    msgSendPulse(client, coid, 2, 200, 20);
    expect(await msgReceive(server, chid)).toMatchObject({ rcvid: 0, code: 2, value: 200 });
    expect(await msgReceive(server, chid)).toMatchObject({ rcvid: 0, code: 1, value: 100 });
  });

  test('a server delivers the event that a client sent along, after it has replied', async () => {
    const [server, client] = [idle('server', 10), idle('client', 10)];
    const chid = channelCreate(server);
    const own = channelCreate(client);
    const self = connectAttach(client, 0, client.pid, own);
    const answer = msgSend(client, connectAttach(client, 0, server.pid, chid), ask);
    const { rcvid } = await messageOn(server, chid);
    msgReply(server, rcvid, 0);
    await answer;
    msgDeliverEvent(server, rcvid, { coid: self, priority: 12, code: 3, value: 42 });
    expect(await msgReceive(client, own)).toMatchObject({ rcvid: 0, code: 3, value: 42 });
    expect(client.priority).toBe(12);
  });

  test('a server hears of a connection that goes', async () => {
    const [server, client] = [idle('server', 10), idle('client', 10)];
    const chid = channelCreate(server, CHF_DISCONNECT);
    connectDetach(client, connectAttach(client, 0, server.pid, chid));
    expect(await msgReceive(server, chid)).toMatchObject({ rcvid: 0, code: PULSE_CODE_DISCONNECT });
  });
});

describe('interruption and death', () => {
  test('a client killed while SEND-blocked takes its message back', async () => {
    const [server, client] = [idle('server', 10), idle('client', 10)];
    const chid = channelCreate(server);
    const answer = msgSend(client, connectAttach(client, 0, server.pid, chid), ask);
    client.kill('SIGINT');
    await expect(answer).rejects.toMatchObject({ code: 'EINTR' });
    void msgReceive(server, chid).catch(() => undefined);
    expect(state(server)).toBe(`RECEIVE ${chid}`);
  });

  test('a client killed while REPLY-blocked is let go at once', async () => {
    const [server, client] = [idle('server', 10), idle('client', 10)];
    const chid = channelCreate(server);
    const answer = msgSend(client, connectAttach(client, 0, server.pid, chid), ask);
    const { rcvid } = await messageOn(server, chid);
    client.kill('SIGINT');
    await expect(answer).rejects.toMatchObject({ code: 'EINTR' });
    expect(() => msgReply(server, rcvid, 0)).toThrow('No such process');
  });

  test('with an unblock pulse the server decides how an interrupted client goes on', async () => {
    const [server, client] = [idle('server', 10), idle('client', 10)];
    const chid = channelCreate(server, CHF_UNBLOCK);
    const answer = msgSend(client, connectAttach(client, 0, server.pid, chid), ask);
    const { rcvid } = await messageOn(server, chid);
    client.kill('SIGINT');
    expect(await msgReceive(server, chid)).toMatchObject({
      rcvid: 0,
      code: PULSE_CODE_UNBLOCK,
      value: rcvid,
    });
    msgReply(server, rcvid, 7);
    expect(await answer).toMatchObject({ status: 7 });
  });

  test('when a server dies its clients get ESRCH, received or not', async () => {
    const [server, a, b] = [idle('server', 10), idle('a', 10), idle('b', 10)];
    const chid = channelCreate(server);
    const coids = [a, b].map((client) => connectAttach(client, 0, server.pid, chid));
    const sends = [msgSend(a, coids[0]!, ask), msgSend(b, coids[1]!, ask)].map((send) =>
      send.catch((error: unknown) => (error as { code: string }).code),
    );
    await messageOn(server, chid);
    server.kill('SIGKILL');
    expect(await Promise.all(sends)).toEqual(['ESRCH', 'ESRCH']);
    await server.exited;
    await expect(msgSend(a, coids[0]!, ask)).rejects.toMatchObject({ code: 'ESRCH' });
  });

  test('a receiver on a destroyed channel gets EINVAL', async () => {
    const server = idle('server', 10);
    const chid = channelCreate(server);
    const received = msgReceive(server, chid);
    channelDestroy(server, chid);
    await expect(received).rejects.toMatchObject({ code: 'EINVAL' });
  });
});

test('a node descriptor leads to a channel of another node', async () => {
  const beta = createNode({ name: 'beta' });
  const server = idle('server', 10, beta);
  const proxy = idle('qnet', 10, beta);
  node.remoteNodes.set(1, { attach: (_client, pid, chid) => attachLocal(proxy, pid, chid) });
  const chid = channelCreate(server);
  const client = idle('client', 14);
  const answer = msgSend(client, connectAttach(client, 1, server.pid, chid), ask);
  const { rcvid, info } = await messageOn(server, chid);
  expect(info).toMatchObject({ node: 'alpha', pid: client.pid, priority: 14 });
  expect(server.priority).toBe(14);
  msgReply(server, rcvid, 0, 'from beta');
  expect(await answer).toMatchObject({ reply: 'from beta' });
  await settle();
  await beta.shutdown();
});
