/** The lab: what it is made of, what moves in it, and what the user has selected. */
import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import type {
  InterfaceRates,
  LabDescription,
  LabExample,
  LinkEnd,
  LinkRates,
  NodeDescription,
  Problem,
  Rates,
  TimeAction,
  TimeMode,
} from '../../main/api/model.ts';
import { useConnectionStore } from './connection.ts';

/** Something on the map or in the outline. An interface is named `node:interface`. */
export interface LabObject {
  readonly kind: 'node' | 'interface' | 'switch' | 'port' | 'link';
  readonly name: string;
}

export function sameObject(a: LabObject | undefined, b: LabObject | undefined): boolean {
  return a !== undefined && a.kind === b?.kind && a.name === b.name;
}

export function interfaceKey(node: string, name: string): string {
  return `${node}:${name}`;
}

export function linkEndText(end: LinkEnd): string {
  return end.interface === undefined ? end.name : interfaceKey(end.name, end.interface);
}

export const useTopologyStore = defineStore('topology', () => {
  const connection = useConnectionStore();
  const lab = shallowRef<LabDescription>();
  const rates = shallowRef<Rates>();
  const selected = shallowRef<LabObject>();
  const examples = shallowRef<readonly LabExample[]>([]);
  const problems = shallowRef<readonly Problem[]>([]);
  const problemFile = ref('');
  const busy = ref(false);
  /** Counts the labs opened in this window: what belonged to an earlier one is out of date. */
  const opened = ref(0);

  const state = computed(() => rates.value?.state ?? lab.value?.state ?? 'stopped');
  const linkRates = computed(() => new Map<string, LinkRates>(rates.value?.links.map((r) => [r.name, r])));
  const interfaceRates = computed(
    () =>
      new Map<string, InterfaceRates>(rates.value?.interfaces.map((r) => [interfaceKey(r.node, r.name), r])),
  );
  const nodesByName = computed(
    () => new Map<string, NodeDescription>(lab.value?.nodes.map((n) => [n.name, n])),
  );

  function connect(): void {
    const session = connection.requireSession();
    session.on('lab.changed', (description) => {
      lab.value = description;
    });
    session.on('rates', (snapshot) => {
      rates.value = snapshot;
    });
    session.onOpen(() => void refresh());
  }

  async function refresh(): Promise<void> {
    const description = await connection.request('lab.describe', {});
    if (description !== undefined) lab.value = description;
  }

  async function control(command: 'lab.start' | 'lab.stop' | 'lab.restart'): Promise<void> {
    busy.value = true;
    await connection.request(command, {});
    await refresh();
    busy.value = false;
  }

  async function setTimeMode(mode: TimeMode): Promise<void> {
    busy.value = true;
    await connection.request('time.mode', { mode });
    await refresh();
    busy.value = false;
  }

  async function controlTime(action: TimeAction): Promise<void> {
    await connection.request('time.control', { action });
  }

  /** Opens a lab text; its errors are kept for the problems dialog, and the present lab stays. */
  async function open(name: string, text: string): Promise<void> {
    busy.value = true;
    const found = await connection.request('lab.open', { name, text });
    busy.value = false;
    if (found === undefined) return;
    problems.value = found;
    problemFile.value = name;
    if (found.some((problem) => problem.severity === 'error')) return;
    selected.value = undefined;
    await refresh();
    opened.value++;
  }

  async function loadExamples(): Promise<void> {
    examples.value = (await connection.request('lab.examples', {})) ?? [];
  }

  function dismissProblems(): void {
    problems.value = [];
  }

  return {
    lab,
    rates,
    selected,
    examples,
    problems,
    problemFile,
    busy,
    opened,
    state,
    linkRates,
    interfaceRates,
    nodesByName,
    connect,
    refresh,
    control,
    setTimeMode,
    controlTime,
    open,
    loadExamples,
    dismissProblems,
  };
});
