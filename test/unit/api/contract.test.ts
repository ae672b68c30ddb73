/** The contract between host and renderer: what is asked arrives, what is wrong is refused, what is slow is spared. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { createApiClient, type ApiClient } from '../../../main/api/client.ts';
import { commands, type EventData, type EventName } from '../../../main/api/contract.ts';
import { createApiServer, type ApiServer } from '../../../main/api/server.ts';
import { createSampleHost, sampleJourney, summary, type SampleHost } from './sample-host.ts';
import { createTransportPair, type TransportPair } from './transport-pair.ts';

interface Connected {
  readonly host: SampleHost;
  readonly server: ApiServer;
  readonly pair: TransportPair;
  readonly client: ApiClient;
}

const servers: ApiServer[] = [];

function connect(): Connected {
  const host = createSampleHost();
  const server = createApiServer(host, { ratesInterval: 10, bufferLimit: 1_000 });
  servers.push(server);
  const pair = createTransportPair();
  server.attach(pair.host);
  return { host, server, pair, client: createApiClient(pair.renderer) };
}

function nextEvent<E extends EventName>(client: ApiClient, event: E): Promise<EventData<E>> {
  return new Promise((resolve) => client.on(event, resolve));
}

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

describe('commands', () => {
  it('answers with what the host says', async () => {
    const { client } = connect();
    expect((await client.request('lab.describe', {})).nodes.map(({ name }) => name)).toEqual([
      'alpha',
      'beta',
    ]);
    expect(await client.request('packets.points', {})).toEqual(['link:wire']);
    expect((await client.request('packets.get', { number: 1 }))?.bytes).toBe('AAEC');
  });

  it('answers null for a packet that is no longer kept', async () => {
    const { client } = connect();
    expect(await client.request('packets.get', { number: 77 })).toBeNull();
  });

  it('hands a capture file over byte for byte', async () => {
    const { client } = connect();
    const opened = await client.request('captures.open', { name: 'x.pcap', data: btoa('\x00\xff\x80abc') });
    expect(opened).toMatchObject({ name: 'x.pcap', packets: 6 });
  });

  it("passes the host's own error on", async () => {
    const { client } = connect();
    const opening = client.request('console.open', { node: 'delta', columns: 80, rows: 24 });
    await expect(opening).rejects.toThrow('there is no node "delta"');
  });

  it('names the parameter that is wrong', async () => {
    const { client } = connect();
    const opening = client.request('console.open', { node: 'alpha', columns: 0, rows: 24 });
    await expect(opening).rejects.toThrow(/console\.open: columns: .*>=1/);
  });

  it('follows packets in the words of the user, and hands on why it cannot', async () => {
    const { host, client } = connect();
    await client.request('journeys.follow', { choice: 'every 10 tcp' });
    await client.request('journeys.follow', { choice: null });
    expect(host.calls).toEqual(['follow every 10 tcp', 'follow none']);
    await expect(client.request('journeys.follow', { choice: 'nonsense' })).rejects.toThrow("has 'nonsense'");
    await expect(client.request('journeys.follow', { choice: 'x'.repeat(201) })).rejects.toThrow(
      'journeys.follow: choice',
    );
  });

  it('answers with the journey of a packet, or null', async () => {
    const { client } = connect();
    expect(await client.request('journeys.get', { number: 1 })).toEqual(sampleJourney());
    expect(await client.request('journeys.get', { number: 2 })).toBeNull();
    await expect(client.request('journeys.get', { number: -1 })).rejects.toThrow('journeys.get: number');
  });

  it('rejects what is pending when the connection ends', async () => {
    const { client, pair } = connect();
    pair.host.send('not json');
    const pending = client.request('lab.describe', {});
    pair.renderer.close();
    await expect(pending).rejects.toThrow('The connection to the host ended.');
  });
});

describe('events', () => {
  it('sends rates, and the description whenever its revision changes', async () => {
    const { client, host } = connect();
    await client.request('lab.describe', {});
    expect((await nextEvent(client, 'rates')).time).toBe('1000000000');
    host.rename('renamed');
    expect((await nextEvent(client, 'lab.changed')).name).toBe('renamed');
  });

  it('delivers packets after a subscription and none after its end', async () => {
    const { client, host } = connect();
    await client.request('packets.subscribe', { points: [] });
    const batch = nextEvent(client, 'packets');
    host.emitPackets([summary(1), summary(2)]);
    expect((await batch).packets.map(({ number }) => number)).toEqual([1, 2]);
    await client.request('packets.unsubscribe', {});
    expect(host.packetSubscribers).toBe(0);
  });

  it('withholds packets from a slow reader and tells how many', async () => {
    const { client, host, pair } = connect();
    await client.request('packets.subscribe', { points: [] });
    const batch = nextEvent(client, 'packets');
    pair.setBuffered(1_001);
    host.emitPackets([summary(1), summary(2), summary(3)]);
    pair.setBuffered(0);
    host.emitPackets([summary(4)]);
    expect(await batch).toMatchObject({ packets: [{ number: 4 }], skipped: 3 });
  });

  it('passes menu actions to every window', async () => {
    const { client, server } = connect();
    const action = nextEvent(client, 'menu.action');
    server.sendMenuAction('view.fit');
    expect(await action).toBe('view.fit');
  });
});

describe('consoles', () => {
  it('carries keys, sizes, output and the end of the shell', async () => {
    const { client, host } = connect();
    const { console: id } = await client.request('console.open', { node: 'alpha', columns: 80, rows: 24 });
    await client.request('console.write', { console: id, text: 'ping\r' });
    await client.request('console.resize', { console: id, columns: 100, rows: 30 });
    expect(host.calls).toEqual(['console alpha', 'write ping\r', 'resize 100x30']);
    const output = nextEvent(client, 'console.output');
    host.print('# ');
    host.print('ping');
    expect(await output).toEqual({ console: id, text: '# ping' });
    const exited = nextEvent(client, 'console.exit');
    host.exitShell(3);
    expect(await exited).toEqual({ console: id, status: 3 });
    await expect(client.request('console.write', { console: id, text: 'x' })).rejects.toThrow(
      'no open console',
    );
  });

  it('keeps the latest output for a slow reader and says what is missing', async () => {
    const { client, host, pair } = connect();
    await client.request('console.open', { node: 'alpha', columns: 80, rows: 24 });
    pair.setBuffered(2_000);
    host.print('x'.repeat(1024 * 1024));
    host.print('the end');
    const output = nextEvent(client, 'console.output');
    pair.setBuffered(0);
    const { text } = await output;
    expect(text.endsWith('the end')).toBe(true);
    expect(text).toContain('[7 characters of output were not shown]');
  });

  it('hangs up when the window goes', async () => {
    const { client, host } = connect();
    await client.request('console.open', { node: 'alpha', columns: 80, rows: 24 });
    client.close();
    expect(host.calls).toContain('close console');
  });
});

describe('hostile messages', () => {
  /** Sends raw text as a renderer and resolves to the host's next answer that is no event. */
  function exchange(pair: TransportPair, text: string): Promise<string> {
    return new Promise((resolve) => {
      pair.renderer.onMessage((message) => {
        if (!message.includes('"kind":"event"')) resolve(message);
      });
      pair.renderer.send(text);
    });
  }

  const anyCommand = fc.oneof(fc.constantFrom(...Object.keys(commands)), fc.string());
  const anyMessage = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record({ id: fc.anything(), command: anyCommand, params: fc.anything() })
      .map((value) => safeJson(value)),
    fc
      .record({ id: fc.integer({ min: 1, max: 1_000 }), command: anyCommand, params: fc.object() })
      .map((value) => safeJson(value)),
  );

  function safeJson(value: unknown): string {
    return (
      JSON.stringify(value, (_key, entry: unknown) => (typeof entry === 'bigint' ? String(entry) : entry)) ??
      ''
    );
  }

  it('are all answered, and the connection serves on', async () => {
    const { pair } = connect();
    await fc.assert(
      fc.asyncProperty(anyMessage, async (text) => {
        const answer = JSON.parse(await exchange(pair, text)) as { kind: string };
        expect(['result', 'error']).toContain(answer.kind);
      }),
      { numRuns: 400 },
    );
    const answer = await exchange(pair, JSON.stringify({ id: 9, command: 'packets.points', params: {} }));
    expect(JSON.parse(answer)).toEqual({ kind: 'result', id: 9, result: ['link:wire'] });
  });

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])('%s is no command', async (command) => {
    const { pair } = connect();
    const answer = await exchange(pair, JSON.stringify({ id: 1, command, params: {} }));
    expect(JSON.parse(answer)).toMatchObject({ kind: 'error', message: `there is no command "${command}"` });
  });

  it('from a host are reported by the client and reach no listener', async () => {
    const pair = createTransportPair();
    const violations: string[] = [];
    const client = createApiClient(pair.renderer, { onViolation: (message) => violations.push(message) });
    const seen: unknown[] = [];
    client.on('rates', (data) => seen.push(data));
    for (const text of ['', '{}', '[1]', '{"kind":"event","event":"rates","data":{"time":"x"}}'])
      pair.host.send(text);
    pair.host.send('{"kind":"event","event":"toString","data":1}');
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(seen).toEqual([]);
    expect(violations).toHaveLength(5);
  });
});
