/** The packet filter of one node: what is loaded with its counters, the text that is being written, its states. Asked for while somebody looks. */
import { defineStore } from 'pinia';
import { computed, ref, shallowRef, watch } from 'vue';
import type {
  FilterProblem,
  FilterStatus,
  FilterWhatIf,
  StateColumn,
  StatePage,
} from '../../main/api/filter-model.ts';
import { useConnectionStore } from './connection.ts';
import { useTopologyStore } from './topology.ts';

/** How often counters are asked for, and how long after a key the text is checked, ms. */
const REFRESH = 400;
const CHECK_AFTER = 250;
const STATES_SHOWN = 200;

export const useFiltersStore = defineStore('filters', () => {
  const connection = useConnectionStore();
  const topology = useTopologyStore();
  /** The node that is looked at; '' for the selected one, or the first. */
  const chosen = ref('');
  const status = shallowRef<FilterStatus>();
  const text = ref('');
  /** The text as it is in the node's file. */
  const saved = ref('');
  const path = ref('/etc/pf.conf');
  const problems = shallowRef<readonly FilterProblem[]>([]);
  const services = shallowRef<readonly string[]>([]);
  const protocols = shallowRef<readonly string[]>([]);
  const states = shallowRef<StatePage>();
  const stateText = ref('');
  const stateSort = ref<StateColumn>('age');
  const view = ref<'rules' | 'states' | 'tables' | 'queues' | 'whatIf'>('rules');
  /** The filter rule that is pointed out among those that are loaded. */
  const marked = shallowRef<{ readonly node: string; readonly number: number }>();
  const tried = shallowRef<FilterWhatIf>();
  /** The opened capture that the text was tried on; absent: the live packets. */
  const triedOn = ref<string>();
  const trying = ref(false);
  const tryInterface = ref('');
  const tryDirection = ref<'in' | 'out' | 'both'>('both');
  const tryAgainstLoaded = ref(false);
  const visible = ref(false);
  let timer: ReturnType<typeof setInterval> | undefined;
  let checking: ReturnType<typeof setTimeout> | undefined;
  let asking = false;

  const node = computed(() => {
    const { selected, lab } = topology;
    if (chosen.value !== '' && lab?.nodes.some(({ name }) => name === chosen.value) === true)
      return chosen.value;
    if (selected?.kind === 'node') return selected.name;
    return lab?.nodes[0]?.name;
  });
  const interfaces = computed(
    () =>
      topology.lab?.nodes.find(({ name }) => name === node.value)?.interfaces.map(({ name }) => name) ?? [],
  );
  const hasErrors = computed(() => problems.value.some(({ severity }) => severity === 'error'));
  const isChanged = computed(() => text.value !== saved.value);

  async function refresh(): Promise<void> {
    const name = node.value;
    if (!visible.value || name === undefined || asking) return;
    asking = true;
    try {
      const answer = await connection.request('filters.status', { node: name });
      if (name === node.value) status.value = answer;
      if (
        view.value === 'states' &&
        answer !== undefined &&
        answer.state !== 'off' &&
        answer.state !== 'absent'
      )
        await refreshStates(name);
    } finally {
      asking = false;
    }
  }

  async function refreshStates(name: string): Promise<void> {
    const query = {
      text: stateText.value,
      sort: stateSort.value,
      descending: stateSort.value !== 'age',
      from: 0,
      count: STATES_SHOWN,
    };
    const answer = await connection.request('states.list', { node: name, query });
    if (name === node.value) states.value = answer;
  }

  /** Reads the node's file into the editor. */
  async function read(): Promise<void> {
    const name = node.value;
    if (name === undefined) return;
    const file = await connection.request('filters.file', { node: name });
    if (file === undefined || name !== node.value) return;
    path.value = file.path;
    text.value = file.text ?? '';
    saved.value = text.value;
  }

  async function check(): Promise<void> {
    const name = node.value;
    if (name === undefined) return;
    const written = text.value;
    const answer = await connection.request('filters.check', { node: name, text: written });
    if (answer !== undefined && written === text.value) problems.value = answer.problems;
  }

  /** Makes a change to the node's filter and shows what came of it. */
  async function change(make: (name: string) => Promise<unknown>): Promise<void> {
    if (node.value === undefined) return;
    await make(node.value);
    await refresh();
  }

  const mount = (): Promise<void> => change((name) => connection.request('filters.mount', { node: name }));
  const enable = (enabled: boolean): Promise<void> =>
    change((name) => connection.request('filters.enable', { node: name, enabled }));
  const unload = (): Promise<void> => change((name) => connection.request('filters.unload', { node: name }));
  const undo = (): Promise<void> => change((name) => connection.request('filters.undo', { node: name }));
  const kill = (id?: string): Promise<void> =>
    change((name) =>
      connection.request('states.kill', id === undefined ? { node: name } : { node: name, id }),
    );

  /** Loads the text and keeps it in the node's file; with an error all is as before. */
  async function load(): Promise<void> {
    await change(async (name) => {
      const answer = await connection.request('filters.load', { node: name, text: text.value });
      if (answer === undefined) return;
      problems.value = answer.problems;
      if (!answer.loaded) return;
      const kept = await connection.request('filters.save', { node: name, text: text.value });
      if (kept !== undefined) saved.value = text.value;
      connection.notify('info', `${answer.rules} rules loaded on ${name}`);
    });
  }

  /** Tries the text on an opened capture, or on the live packets. */
  async function tryText(capture: string | undefined): Promise<void> {
    const name = node.value;
    if (name === undefined) return;
    trying.value = true;
    const query = {
      node: name,
      text: text.value,
      interface: tryInterface.value,
      direction: tryDirection.value,
      againstLoaded: tryAgainstLoaded.value,
    };
    const answer = await connection.request(
      'filters.whatIf',
      capture === undefined ? query : { ...query, capture },
    );
    trying.value = false;
    if (answer === undefined) return;
    tried.value = answer.problems.length > 0 ? undefined : answer;
    triedOn.value = capture;
    if (answer.problems.length > 0) problems.value = answer.problems;
  }

  /** Points out a rule of a node's main rule set. */
  function showRule(name: string, number: number): void {
    chosen.value = name;
    view.value = 'rules';
    marked.value = { node: name, number };
  }

  /** Reads the names of services and protocols, once. */
  async function readWords(): Promise<void> {
    if (services.value.length > 0) return;
    const words = await connection.request('filters.words', {});
    services.value = words?.services ?? [];
    protocols.value = words?.protocols ?? [];
  }

  watch(visible, (shown) => {
    clearInterval(timer);
    if (!shown) return;
    void readWords();
    timer = setInterval(() => void refresh(), REFRESH);
    void refresh();
  });
  watch([node, visible, () => status.value?.state === 'off'], ([name, shown], [before]) => {
    if (!shown || name === undefined || (name === before && text.value !== '')) return;
    status.value = name === before ? status.value : undefined;
    void read();
  });
  watch(
    interfaces,
    (names) => {
      if (!names.includes(tryInterface.value))
        tryInterface.value = names.find((name) => !/^(lo|pflog)/.test(name)) ?? '';
    },
    { immediate: true },
  );
  watch(text, () => {
    clearTimeout(checking);
    checking = setTimeout(() => void check(), CHECK_AFTER);
  });
  watch([view, stateText, stateSort], () => void refresh());

  return {
    chosen,
    node,
    interfaces,
    status,
    text,
    path,
    problems,
    services,
    protocols,
    states,
    stateText,
    stateSort,
    view,
    marked,
    visible,
    hasErrors,
    isChanged,
    mount,
    enable,
    load,
    unload,
    undo,
    kill,
    tried,
    triedOn,
    trying,
    tryInterface,
    tryDirection,
    tryAgainstLoaded,
    tryText,
    read,
    readWords,
    showRule,
  };
});
