/** Which packets are followed, and the journey of the packet that is selected, while it is shown. */
import { defineStore } from 'pinia';
import { computed, shallowRef, watch } from 'vue';
import type { Journey } from '../../main/api/model.ts';
import { useConnectionStore } from './connection.ts';
import { usePacketsStore } from './packets.ts';
import { useTopologyStore } from './topology.ts';

/** A journey that has not grown for so many snapshots of the rates is over. */
const quietSnapshots = 10;

export const useJourneysStore = defineStore('journeys', () => {
  const connection = useConnectionStore();
  const packets = usePacketsStore();
  const topology = useTopologyStore();
  /** True while somebody looks at journeys. */
  const shown = computed(() => packets.side === 'journey');
  /** Null for a packet that was not followed. */
  const journey = shallowRef<Journey | null>();
  /** What is followed, as the user wrote it; empty for nothing. */
  const choice = computed(() => topology.lab?.journeys ?? '');
  let quiet = 0;

  function connect(): void {
    connection.requireSession().on('rates', () => {
      const mayGrow = shown.value && packets.file === undefined && journey.value;
      if (mayGrow && quiet++ < quietSnapshots) void load();
    });
  }

  /** @returns whether the host took the choice; if not, a notice says why. */
  async function follow(text: string): Promise<boolean> {
    const answer = await connection.request('journeys.follow', { choice: text.trim() === '' ? null : text });
    await topology.refresh();
    return answer !== undefined;
  }

  async function load(): Promise<void> {
    const number = packets.selectedNumber;
    const capture = packets.file?.id;
    if (number === undefined || !shown.value) return;
    const answer = await connection.request('journeys.get', { number, capture });
    if (packets.selectedNumber !== number || packets.file?.id !== capture) return;
    if (answer?.stations.length !== journey.value?.stations.length) quiet = 0;
    journey.value = answer;
  }

  watch([() => packets.selectedNumber, () => packets.file, shown], () => {
    quiet = 0;
    journey.value = undefined;
    void load();
  });

  return { shown, journey, choice, connect, follow };
});
