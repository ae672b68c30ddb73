// @vitest-environment happy-dom
/** The stores and components against a real api server, without a browser's layout. */
import { flushPromises, mount } from '@vue/test-utils';
import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createApiServer, type ApiServer } from '../../../main/api/server.ts';
import { createSession } from '../../../renderer/api/session.ts';
import MapBoxView from '../../../renderer/map/MapBoxView.vue';
import { buildScene } from '../../../renderer/map/scene.ts';
import JourneyPane from '../../../renderer/packets/JourneyPane.vue';
import JourneyChoice from '../../../renderer/packets/JourneyChoice.vue';
import OutlineTree from '../../../renderer/outline/OutlineTree.vue';
import { isAppShortcut, shortcutFor } from '../../../renderer/shell/shortcuts.ts';
import TopBar from '../../../renderer/shell/TopBar.vue';
import { useConnectionStore } from '../../../renderer/stores/connection.ts';
import { useConsolesStore } from '../../../renderer/stores/consoles.ts';
import { useJourneysStore } from '../../../renderer/stores/journeys.ts';
import { usePacketsStore } from '../../../renderer/stores/packets.ts';
import { useTopologyStore } from '../../../renderer/stores/topology.ts';
import { createSampleHost, sampleLab, summary, type SampleHost } from '../api/sample-host.ts';
import { createTransportPair, type TransportPair } from '../api/transport-pair.ts';

let host: SampleHost;
let server: ApiServer;
let pair: TransportPair;

beforeEach(async () => {
  setActivePinia(createPinia());
  host = createSampleHost();
  server = createApiServer(host, { ratesInterval: 5 });
  const connection = useConnectionStore();
  const ownServer = server;
  connection.use(
    createSession(() => {
      // The session of an earlier test still tries to come back.
      if (server !== ownServer) return Promise.reject(new Error('this test is over'));
      pair = createTransportPair();
      server.attach(pair.host);
      return Promise.resolve(pair.renderer);
    }),
  );
  useTopologyStore().connect();
  usePacketsStore().connect();
  useJourneysStore().connect();
  useConsolesStore().connect();
  connection.requireSession().start();
  await vi.waitFor(() => expect(useTopologyStore().lab?.name).toBe('two-nodes'));
  await vi.waitFor(() => expect(host.packetSubscribers).toBe(1));
});

afterEach(() => server.close());

describe('the connection', () => {
  it('comes back by itself and asks for everything again', async () => {
    const connection = useConnectionStore();
    host.rename('after the break');
    pair.host.close();
    expect(connection.state).toBe('lost');
    await vi.waitFor(() => expect(connection.state).toBe('open'));
    await vi.waitFor(() => expect(useTopologyStore().lab?.name).toBe('after the break'));
    await vi.waitFor(() => expect(host.packetSubscribers).toBe(1));
  });

  it('shows what the host refused', async () => {
    const connection = useConnectionStore();
    await connection.request('console.open', { node: 'delta', columns: 80, rows: 24 });
    expect(connection.notices.map(({ text }) => text)).toEqual(['there is no node "delta"']);
  });
});

describe('virtual time', () => {
  it('is switched to, paused, stepped, sped up and sent to a time', async () => {
    const topology = useTopologyStore();
    const bar = mount(TopBar);
    expect(bar.find('[aria-label="Virtual time"]').exists()).toBe(false);
    await bar.get('.clock button').trigger('click');
    await vi.waitFor(() => expect(bar.find('[aria-label="Virtual time"]').exists()).toBe(true));
    await bar.get('[aria-label="Pause"]').trigger('click');
    await vi.waitFor(() => expect(bar.find('[aria-label="Go on"]').exists()).toBe(true));
    await bar.get('[aria-label="Step one event"]').trigger('click');
    await bar.get('[aria-label="Step to the next packet"]').trigger('click');
    await bar.get('select').setValue('10');
    await bar.get('.goal').setValue('12.5');
    await bar.get('form').trigger('submit');
    await vi.waitFor(() => expect(host.calls.at(-1)).toContain('"to"'));
    expect(host.calls).toEqual([
      'time virtual',
      'time {"kind":"pause"}',
      'time {"kind":"step","events":1}',
      'time {"kind":"next"}',
      'time {"kind":"speed","speed":10}',
      'time {"kind":"to","time":"12500000000"}',
    ]);
    expect(topology.lab?.timeMode).toBe('virtual');
    bar.unmount();
  });

  it.each([
    { kind: 'speed', speed: 0 },
    { kind: 'speed', speed: 101 },
    { kind: 'step', events: 0 },
    { kind: 'step', events: 1e9 },
    { kind: 'to', time: '-1' },
    { kind: 'to', time: '1'.repeat(16) },
    { kind: 'rewind' },
  ])('the host is not told of %j', async (action) => {
    const connection = useConnectionStore();
    await connection.request('time.control', { action } as never);
    expect(connection.notices[0]?.text).toMatch(/^time\.control: action/);
    expect(host.calls).toEqual([]);
  });
});

describe('opening a lab', () => {
  it('replaces the map and leaves the packets of the old lab behind', async () => {
    const packets = usePacketsStore();
    host.emitPackets([summary(1)]);
    await vi.waitFor(() => expect(packets.rows).toHaveLength(1));
    await useTopologyStore().open('other.lab.yaml', 'other');
    expect(useTopologyStore().lab?.name).toBe('other');
    await vi.waitFor(() => expect(packets.rows).toHaveLength(0));
    expect(host.packetSubscribers).toBe(1);
  });

  it('with errors keeps everything and shows them', async () => {
    const topology = useTopologyStore();
    await topology.open('empty.lab.yaml', '');
    expect(topology.problems).toMatchObject([{ message: 'empty.lab.yaml: no nodes', line: 3 }]);
    expect(topology.lab?.name).toBe('two-nodes');
    expect(topology.opened).toBe(0);
  });
});

describe('the packet list', () => {
  const numbers = (): number[] => usePacketsStore().shown.map(({ number }) => number);
  const send = async (from: number, count: number): Promise<void> => {
    host.emitPackets(Array.from({ length: count }, (_, i) => summary(from + i)));
    await flushPromises();
  };

  it('keeps the last 5000 packets while it follows, more while the reader looks back', async () => {
    const packets = usePacketsStore();
    await send(1, 6_000);
    expect([numbers().length, numbers()[0]]).toEqual([5_000, 1_001]);
    packets.follow = false;
    await send(6_001, 2_000);
    expect([numbers().length, numbers()[0]]).toEqual([7_000, 1_001]);
    packets.follow = true;
    await send(8_001, 1);
    expect([numbers().length, numbers()[0]]).toEqual([5_000, 3_002]);
  });

  it('filters what is there and what comes', async () => {
    const packets = usePacketsStore();
    packets.filterText = 'proto:arp';
    host.emitPackets([summary(1), summary(2, { protocol: 'ARP' })]);
    await vi.waitFor(() => expect(numbers()).toEqual([2]));
  });

  it('asks for the layers of the packet that is selected', async () => {
    const packets = usePacketsStore();
    packets.select(1);
    await vi.waitFor(() => expect(packets.detail?.bytes).toBe('AAEC'));
    packets.select(2);
    await vi.waitFor(() => expect(packets.detailGone).toBe(true));
    expect(packets.detail).toBeUndefined();
  });

  it('shows a capture file in place of the live packets, and goes back', async () => {
    const packets = usePacketsStore();
    await send(1, 2);
    await packets.openFile(new File([new Uint8Array(7_000)], 'big.pcap'));
    expect(packets.file?.name).toBe('big.pcap');
    expect(numbers()).toHaveLength(7_000);
    await packets.closeFile();
    expect(numbers()).toEqual([1, 2]);
    expect(host.calls).toContain('close capture-1');
  });
});

describe('journeys', () => {
  it('show the stations of the packet that is selected by node, with thread, time, buffer and what happened', async () => {
    const pane = mount(JourneyPane);
    usePacketsStore().select(1);
    usePacketsStore().side = 'journey';
    await vi.waitFor(() => expect(pane.findAll('li')).toHaveLength(3));
    expect(pane.findAll('h3').map((title) => title.text())).toEqual(['link:wire', 'router']);
    const last = pane.findAll('li').at(-1)!;
    expect(last.classes()).toContain('warn');
    for (const part of ['0.000001', 'flow', 'condition 8: TTL would reach 0', 'thread 1', '0x00004000'])
      expect(last.text()).toContain(part);
    usePacketsStore().select(2);
    await vi.waitFor(() => expect(pane.text()).toContain('This packet was not followed'));
  });

  it('are switched on and off, for all, a share or a filter; a filter that cannot be read stays', async () => {
    const control = mount(JourneyChoice, { attachTo: document.body });
    const select = control.find('select');
    await select.setValue('1/10');
    await vi.waitFor(() => expect(host.calls).toContain('follow 1/10'));
    await select.setValue('filter');
    await control.find('input').setValue('nonsense');
    await control.find('form').trigger('submit');
    await vi.waitFor(() =>
      expect(useConnectionStore().notices.map(({ text }) => text)).toEqual([
        "which packets to follow: it has 'nonsense'",
      ]),
    );
    expect(useJourneysStore().choice).toBe('1/10');
    await control.find('input').setValue('tcp port 80');
    await control.find('form').trigger('submit');
    await vi.waitFor(() => expect(useJourneysStore().choice).toBe('tcp port 80'));
    expect(select.element.value).toBe('filter');
    await select.setValue('');
    await vi.waitFor(() => expect(useJourneysStore().choice).toBe(''));
    expect(host.calls.at(-1)).toBe('follow none');
    control.unmount();
  });
});

describe('consoles', () => {
  it('send keys to their shell and show what it prints', async () => {
    const consoles = useConsolesStore();
    consoles.show('alpha');
    const [tab] = consoles.tabs;
    if (tab === undefined) throw new Error('no tab');
    let shown = '';
    await consoles.attach(tab, { columns: 80, rows: 24 }, (text) => (shown += text));
    consoles.write(tab, 'ls\r');
    await vi.waitFor(() => expect(host.calls).toContain('write ls\r'));
    host.print('# ');
    await vi.waitFor(() => expect(shown).toBe('# '));
    host.exitShell(2);
    await vi.waitFor(() => expect(shown).toContain('the shell ended (status 2)'));
    expect(consoles.isAlive(tab)).toBe(false);
  });

  it('are shown again rather than opened twice, unless another is asked for', () => {
    const consoles = useConsolesStore();
    consoles.show('alpha');
    consoles.show('alpha');
    consoles.show('alpha', { another: true });
    expect(consoles.tabs.map(({ title }) => title)).toEqual(['alpha', 'alpha (2)']);
  });
});

describe('the outline', () => {
  const labels = (tree: ReturnType<typeof mount>): string[] =>
    tree.findAll('[role="treeitem"]').map((item) => item.find('.label').text());

  it('lists every object and folds with the arrow keys', async () => {
    const tree = mount(OutlineTree, { attachTo: document.body });
    expect(labels(tree)).toEqual(['Nodes', 'alpha', 'en0', 'beta', 'en0', 'Links', 'wire']);
    await tree.findAll('[role="treeitem"]')[1]?.trigger('keydown', { key: 'ArrowLeft' });
    expect(labels(tree)).toEqual(['Nodes', 'alpha', 'beta', 'en0', 'Links', 'wire']);
    await tree.findAll('[role="treeitem"]')[0]?.trigger('keydown', { key: 'ArrowLeft' });
    expect(labels(tree)).toEqual(['Nodes', 'Links', 'wire']);
    tree.unmount();
  });

  it('finds by name and by address', async () => {
    const tree = mount(OutlineTree);
    await tree.find('input').setValue('10.0.0.2');
    expect(labels(tree)).toEqual(['Nodes', 'beta', 'en0']);
    await tree.find('input').setValue('wire');
    expect(labels(tree)).toEqual(['Links', 'wire']);
    await tree.find('input').setValue('nowhere');
    expect(tree.text()).toContain('Nothing matches');
  });

  it('opens a console with Enter and selects with Space', async () => {
    const tree = mount(OutlineTree);
    await tree.findAll('[role="treeitem"]')[3]?.trigger('keydown', { key: 'Enter' });
    expect(useConsolesStore().tabs.map(({ node }) => node)).toEqual(['beta']);
    await tree.findAll('[role="treeitem"]')[6]?.trigger('keydown', { key: ' ' });
    expect(useTopologyStore().selected).toEqual({ kind: 'link', name: 'wire' });
  });
});

describe('a node on the map', () => {
  it('says its state in words and shapes', async () => {
    const topology = useTopologyStore();
    const lab = sampleLab();
    const [alpha, beta] = lab.nodes;
    if (alpha === undefined || beta === undefined) throw new Error('two nodes expected');
    const interfaces = [
      {
        ...alpha.interfaces[0],
        name: 'en0',
        mac: '',
        up: true,
        carrier: true,
        addresses: ['10.0.0.1/24'],
        mtu: 1500,
      },
      { ...alpha.interfaces[0], name: 'en1', mac: '', up: true, carrier: false, addresses: [], mtu: 1500 },
      { ...alpha.interfaces[0], name: 'en2', mac: '', up: false, carrier: true, addresses: [], mtu: 1500 },
    ];
    topology.rates = undefined;
    topology.lab = { ...lab, nodes: [{ ...alpha, interfaces }, beta] };
    const box = buildScene(topology.lab).boxes.find(({ name }) => name === 'alpha');
    if (box === undefined) throw new Error('no box');
    const view = mount(MapBoxView, { props: { box, selected: false, tabbable: true } });
    expect(view.attributes('aria-label')).toBe(
      'alpha io-pkt-v4-hc en0 10.0.0.1/24 en1 no carrier en2 down, node, en0 up, en1 no carrier, en2 down',
    );
    expect(view.findAll('.row-text').map((text) => text.text())).toEqual([
      '10.0.0.1/24',
      'no carrier',
      'down',
    ]);
    expect(
      view.findAll('.row .good-fill, .row .warn-line, .row .bad-line').map((shape) => shape.classes()[0]),
    ).toEqual(['good-fill', 'warn-line', 'bad-line']);
  });
});

describe('shortcuts', () => {
  const key = (init: KeyboardEventInit): KeyboardEvent => new KeyboardEvent('keydown', init);

  it('are told apart by their modifiers', () => {
    expect(shortcutFor(key({ key: 'F5' }))?.action).toBe('lab.start');
    expect(shortcutFor(key({ key: 'F5', shiftKey: true }))?.action).toBe('lab.stop');
    expect(shortcutFor(key({ key: 'O', ctrlKey: true, shiftKey: true }))?.action).toBe('capture.open');
    expect(shortcutFor(key({ key: 'o', altKey: true, ctrlKey: true }))).toBeUndefined();
  });

  it('leave a terminal its own keys', () => {
    for (const name of ['c', 'd', 'z', 'l', 'r', 'f'])
      expect(isAppShortcut(key({ key: name, ctrlKey: true }))).toBe(false);
    expect(isAppShortcut(key({ key: '?', shiftKey: true }))).toBe(false);
    expect(isAppShortcut(key({ key: '`', ctrlKey: true }))).toBe(true);
  });
});
