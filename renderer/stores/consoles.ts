/** The consoles that are open, each an interactive shell on a node. Their text lives in the terminals. */
import { defineStore } from 'pinia';
import { ref } from 'vue';
import type { ConsoleSize } from '../../main/api/model.ts';
import { useConnectionStore } from './connection.ts';
import { useDockStore } from './dock.ts';

export interface ConsoleTab {
  /** Names the tab for as long as the window is open. */
  readonly id: string;
  readonly node: string;
  readonly title: string;
}

type OutputListener = (text: string) => void;

export const useConsolesStore = defineStore('consoles', () => {
  const connection = useConnectionStore();
  const dock = useDockStore();
  const tabs = ref<readonly ConsoleTab[]>([]);
  /** The host's numbers of the consoles that are alive, by tab. */
  const numbers = new Map<string, number>();
  const listeners = new Map<string, OutputListener>();
  let opened = 0;

  function connect(): void {
    const session = connection.requireSession();
    session.on('console.output', ({ console: number, text }) => {
      const id = tabOf(number);
      if (id !== undefined) listeners.get(id)?.(text);
    });
    session.on('console.exit', ({ console: number, status }) =>
      end(tabOf(number), `the shell ended (status ${status})`),
    );
    session.onLost(() => {
      for (const id of [...numbers.keys()]) end(id, 'the connection to the host was lost');
    });
  }

  function tabOf(number: number): string | undefined {
    return [...numbers].find(([, candidate]) => candidate === number)?.[0];
  }

  function end(id: string | undefined, reason: string): void {
    if (id === undefined) return;
    numbers.delete(id);
    listeners.get(id)?.(`\r\n\x1b[2m[${reason}; press Enter for a new one]\x1b[0m\r\n`);
  }

  /** Shows a console of the node: the one that is open, or a new one. */
  function show(node: string, options: { readonly another?: boolean; readonly focus?: boolean } = {}): void {
    const present = tabs.value.find((tab) => tab.node === node);
    const tab = present === undefined || options.another === true ? add(node) : present;
    dock.show(tab.id, options.focus ?? true);
  }

  function add(node: string): ConsoleTab {
    const others = tabs.value.filter((tab) => tab.node === node).length;
    const tab = { id: `console-${++opened}`, node, title: others === 0 ? node : `${node} (${others + 1})` };
    tabs.value = [...tabs.value, tab];
    return tab;
  }

  /** Connects a terminal to its node's shell. */
  async function attach(tab: ConsoleTab, size: ConsoleSize, onOutput: OutputListener): Promise<void> {
    listeners.set(tab.id, onOutput);
    try {
      const answer = await connection.requireSession().request('console.open', { node: tab.node, ...size });
      numbers.set(tab.id, answer.console);
    } catch (error) {
      end(tab.id, error instanceof Error ? error.message : String(error));
    }
  }

  function isAlive(tab: ConsoleTab): boolean {
    return numbers.has(tab.id);
  }

  function write(tab: ConsoleTab, text: string): void {
    const number = numbers.get(tab.id);
    if (number !== undefined) void connection.request('console.write', { console: number, text });
  }

  function resize(tab: ConsoleTab, size: ConsoleSize): void {
    const number = numbers.get(tab.id);
    if (number !== undefined) void connection.request('console.resize', { console: number, ...size });
  }

  function close(tab: ConsoleTab): void {
    const number = numbers.get(tab.id);
    if (number !== undefined) void connection.request('console.close', { console: number });
    numbers.delete(tab.id);
    listeners.delete(tab.id);
    const index = tabs.value.indexOf(tab);
    tabs.value = tabs.value.filter((other) => other !== tab);
    const neighbour = tabs.value[Math.min(index, tabs.value.length - 1)];
    if (dock.active === tab.id) dock.show(neighbour?.id ?? 'packets', false);
  }

  return { tabs, connect, show, attach, isAlive, write, resize, close };
});
