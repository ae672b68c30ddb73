/** The system log of all nodes, fetched again when a snapshot says that lines were added. */
import { defineStore } from 'pinia';
import { computed, ref, shallowRef, watch } from 'vue';
import type { LogLine } from '../../main/api/model.ts';
import { useConnectionStore } from './connection.ts';
import { useTopologyStore } from './topology.ts';

export const useLogStore = defineStore('log', () => {
  const connection = useConnectionStore();
  const topology = useTopologyStore();
  const lines = shallowRef<readonly LogLine[]>([]);
  /** The one node shown; empty for all. */
  const node = ref('');
  const text = ref('');
  /** True while somebody looks. */
  const visible = ref(false);

  const written = computed(() => {
    const nodes = topology.rates?.nodes ?? [];
    return nodes.reduce((sum, rates) => sum + rates.logLines, 0);
  });
  const shown = computed(() => {
    const wanted = text.value.trim().toLowerCase();
    return lines.value.filter((line) => `${line.node} ${line.text}`.toLowerCase().includes(wanted));
  });

  async function refresh(): Promise<void> {
    if (!visible.value) return;
    const answer = await connection.request('log.read', { node: node.value === '' ? undefined : node.value });
    if (answer !== undefined) lines.value = answer;
  }

  watch([written, node, visible], () => void refresh());

  return { shown, node, text, visible };
});
